// Zoom: automatic, to the width, in percent, by wheel and by pinch; and where on the page the viewer begins.

const STEPS = [25, 33, 50, 67, 75, 90, 100, 110, 125, 150, 175, 200, 250, 300, 400, 500];
const PRINT = 14; // CSS pixels of a line's box from which print can be read: about 12 of type
const MARGIN = 12; // CSS pixels around the sheet
const CSS_PER_POINT = 96 / 72;
const WIDEST_AUTO = 150; // percent to which the page grows by itself

let zoom = recall('ask-zoom') || 'auto'; // "auto", "fit", or percent; 100: as large as printed

Object.assign(actions, {
  zoom(select) { setZoom(select.value); },
  'zoom-in'() { zoomBy(1); },
  'zoom-out'() { zoomBy(-1); },
});

function recall(key) {
  try { return localStorage.getItem(key); } catch { return null; } // without storage it is not remembered
}

function remember(key, value) {
  try { localStorage.setItem(key, value); } catch { /* the same */ }
}

const fullSize = () => (sheet?.points || 612) * CSS_PER_POINT;
const fitting = () => Math.max(part('.desk').clientWidth - 2 * MARGIN, 80);
const expectedWidth = () => (/^\d/.test(zoom) ? (fullSize() * zoom) / 100 : zoom === 'fit' ? fitting() : fitting() * 1.25);
const sheetWidth = () => +element.style.getPropertyValue('--sheet') || expectedWidth();

// The height of print as a fraction of the sheet's width, and the stretch from the first to the last column of text.
function printOf({ words, aspect }) {
  const sizes = [], lefts = [], rights = [];
  for (const [text, left, top, right, bottom] of words || []) {
    if (text.trimEnd().length < 3) continue;
    sizes.push(Math.min((bottom - top) * aspect, right - left));
    lefts.push(left);
    rights.push(right);
  }
  if (sizes.length < 5) return null;
  const at = (values, share) => values.sort((a, b) => a - b)[Math.floor((values.length - 1) * share)];
  return { height: at(sizes, 0.5), left: at(lefts, 0.02), right: at(rights, 0.98) };
}

// Automatic: as wide as the viewer, and beyond that until print can be read; its lines stay whole except on a phone.
function automaticWidth() {
  const fit = fitting();
  const print = printOf(sheet);
  const usual = Math.min(fit, (fullSize() * WIDEST_AUTO) / 100);
  if (!print) return usual;
  const legible = Math.min(PRINT / print.height, (fullSize() * 300) / 100);
  const whole = fit / Math.max(print.right - print.left, 0.3);
  return Math.max(usual, narrow() ? legible : Math.min(legible, whole));
}

function wantedWidth() {
  if (zoom === 'fit') return fitting();
  return /^\d/.test(zoom) ? (fullSize() * zoom) / 100 : automaticWidth();
}

function layOut() {
  if (!sheet?.aspect) return;
  setWidth(wantedWidth());
}

function setWidth(width) {
  element.style.setProperty('--sheet', Math.round(width * 10) / 10);
  element.style.setProperty('--aspect', sheet.aspect);
  drawZoom(width);
  sharpen();
}

function drawZoom(width) {
  const select = part('[data-do=zoom]');
  const percent = String(Math.round((width / fullSize()) * 100));
  const other = select.querySelector('.other');
  other.textContent = `${percent}%`;
  const listed = [...select.options].some((option) => option.value === zoom);
  select.value = listed ? zoom : 'other';
}

// Changes the zoom and keeps what is at (x, y), by default the middle of the viewer, where it is.
function zoomAround(width, x, y) {
  const desk = part('.desk'), figure = part('.sheet'), seen = desk.getBoundingClientRect();
  const [px, py] = [x ?? seen.left + seen.width / 2, y ?? seen.top + seen.height / 3];
  const before = figure.getBoundingClientRect();
  const [across, down] = [(px - before.left) / before.width, (py - before.top) / before.height];
  setWidth(width);
  const after = figure.getBoundingClientRect();
  desk.scrollLeft += after.left + across * after.width - px;
  desk.scrollTop += after.top + down * after.height - py;
}

function setZoom(to, x, y) {
  if (!sheet?.aspect || to === 'other') return;
  const mark = x === undefined && [...mount.querySelectorAll('.hits .current, .marks .sentence-box, .marks .passage-box')].find(inView);
  zoom = /^\d/.test(to) ? String(Math.min(Math.max(Math.round(to), STEPS[0]), STEPS.at(-1))) : to;
  remember('ask-zoom', zoom);
  zoomAround(wantedWidth(), x, y);
  if (mark) scrollToBox(mark, 0.35);
}

function zoomBy(step) {
  const now = (sheetWidth() / fullSize()) * 100;
  const next = step > 0 ? STEPS.find((percent) => percent > now + 1) : STEPS.findLast((percent) => percent < now - 1);
  if (next) setZoom(next);
}

const percentNow = () => (sheetWidth() / fullSize()) * 100;

// ---- wheel and pinch

function wheeled(event) {
  if (!(event.ctrlKey || event.metaKey) || !event.target.closest('.desk') || !sheet?.aspect) return;
  event.preventDefault();
  const pixels = event.deltaMode === 1 ? event.deltaY * 30 : event.deltaY;
  setZoom(percentNow() * Math.exp(-Math.min(Math.max(pixels, -120), 120) * 0.004), event.clientX, event.clientY);
}

let pinch = null; // distance of two fingers and zoom in percent when the pinch began

function touched(event) {
  if (event.touches.length !== 2 || !event.target.closest('.desk') || !sheet?.aspect) {
    pinch = null;
    return;
  }
  const [one, two] = event.touches;
  const distance = Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY);
  event.preventDefault();
  if (pinch === null) pinch = { distance, percent: percentNow() };
  else setZoom((pinch.percent * distance) / pinch.distance, (one.clientX + two.clientX) / 2, (one.clientY + two.clientY) / 2);
}

// ---- where the viewer begins

function scrollToMark() {
  const desk = part('.desk'), figure = part('.sheet').getBoundingClientRect(), print = printOf(sheet);
  desk.scrollTop = 0;
  desk.scrollLeft += figure.left + (print ? print.left * figure.width : 0) - desk.getBoundingClientRect().left - MARGIN;
  const mark = part('.marks .sentence-box') || part('.marks .passage-box');
  if (mark) scrollToBox(mark, 0.3);
}

function inView(box) {
  const at = box.getBoundingClientRect(), seen = part('.desk').getBoundingClientRect();
  return at.right > seen.left && at.left < seen.right && at.bottom > seen.top && at.top < seen.bottom;
}

// Brings a box over the sheet into view, if it is not: to `share` of the viewer's height, and with its beginning.
function scrollToBox(box, share) {
  const desk = part('.desk'), seen = desk.getBoundingClientRect(), at = box.getBoundingClientRect();
  const begins = at.left >= seen.left && Math.min(at.right, at.left + 120) <= seen.left + desk.clientWidth;
  if (!begins) desk.scrollLeft += at.left - seen.left - Math.max((desk.clientWidth - at.width) / 2, MARGIN);
  if (at.top < seen.top + 16 || at.bottom > seen.top + desk.clientHeight * 0.75) desk.scrollTop += at.top - seen.top - desk.clientHeight * share;
}

if (role === 'viewer') {
  mount.addEventListener('wheel', wheeled, { passive: false });
  mount.addEventListener('touchstart', touched, { passive: false });
  mount.addEventListener('touchmove', touched, { passive: false });
  mount.addEventListener('touchend', touched);
  let before = 0;
  new ResizeObserver(() => {
    const width = part('.desk')?.clientWidth || 0;
    if (!width || width === before) return;
    before = width;
    if (sheet?.aspect && !/^\d/.test(zoom)) zoomAround(wantedWidth());
    if (sheet?.aspect && !shown) showSheet(shownPage(), {}); // it was drawn while another panel was in sight
  }).observe(element);
}
