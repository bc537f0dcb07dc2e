// The sheet: the picture of the page, as sharp as the screen, and its words over it, to be selected and copied.

const WIDTHS = [320, 640, 960, 1280, 1600, 2400, 3200]; // pixels; the server keeps pictures in these
const LAYER = 1000; // width of the layer of words in its own pixels; it is scaled to the sheet
const KEPT_PAGES = 24; // pictures and words kept in memory
const RIGHT_TO_LEFT = /^[^\p{L}]*[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/u;

let sheet = null; // what is shown: {document, page, key, aspect, points, words, width}
let shown = ''; // the opening, document, page and source that were scrolled to

// Promises by address, the most recently used last.
const fetched = new Map();
function kept(path, load) {
  const going = fetched.get(path) || load(path);
  fetched.delete(path);
  fetched.set(path, going);
  going.catch(() => fetched.delete(path));
  for (const [old, gone] of fetched) {
    if (fetched.size <= KEPT_PAGES) break;
    fetched.delete(old);
    gone.then((picture) => { if (picture.url && picture.url !== part('.paper img')?.src) URL.revokeObjectURL(picture.url); }, () => {});
  }
  return going;
}

async function answered(path) {
  const response = await fetch(address(path));
  if (response.ok) return response;
  const said = await response.json().catch(() => ({}));
  throw new Error(said.problem || '');
}

const pictureOf = ({ document: id, page }, width) => kept(`document/${id}/page/${page}?width=${width}`, async (path) => {
  const response = await answered(path);
  const url = URL.createObjectURL(await response.blob());
  const image = new Image();
  image.src = url;
  await image.decode();
  return { url, points: +response.headers.get('x-points-wide') || 612, aspect: image.naturalHeight / image.naturalWidth, width };
});

const wordsOf = ({ document: id, page }) =>
  kept(`document/${id}/page/${page}/words`, async (path) => (await answered(path)).json());

// The width to ask for: that of the sheet in the pixels of this screen, in one of a few steps.
function widthFor(pixels) {
  const wanted = pixels * Math.min(window.devicePixelRatio || 1, 3);
  return WIDTHS.find((width) => width >= wanted * 0.98) || WIDTHS.at(-1);
}

function forgetSheet() {
  sheet = null;
  shown = '';
}

// Shows a page; the server's marks come with its drawing. `top`: begin at the top of the page.
async function showSheet(wanted, { top = false }) {
  const figure = part('.sheet');
  const key = `${wanted.document}/${wanted.page}`;
  drawBar(wanted);
  drawContents(wanted);
  if (sheet?.key !== key) {
    const before = sheet;
    sheet = { ...wanted, key, width: 0 };
    try {
      await loadSheet(sheet, before);
    } catch (error) {
      if (sheet?.key === key) failed(error.message || figure.dataset.failed);
      return;
    }
    if (sheet?.key !== key) return;
  }
  if (!sheet.aspect) return; // still being loaded; whoever loads it goes on
  part('.paper img')?.setAttribute('alt', part('.sheet').dataset.alt);
  const at = `${window.askOpening}|${key}|${part('.sheet').dataset.source}|${[...mount.querySelectorAll('.marks > *')].map((box) => box.style.cssText)}`;
  if (turned === null && at !== shown) {
    if (!part('.desk').clientWidth) { // another panel is in sight
      shown = '';
      return;
    }
    shown = at;
    layOut();
    scrollToMark();
  } else if (top) part('.desk').scrollTop = 0;
  drawHits();
}

async function loadSheet(loading, before) {
  part('.hits').replaceChildren();
  element.classList.toggle('loading-page', true);
  const likely = widthFor(before?.aspect ? sheetWidth() : expectedWidth());
  const words = wordsOf(loading).catch(() => []);
  const picture = await pictureOf(loading, likely);
  if (sheet !== loading) return;
  Object.assign(loading, picture);
  loading.words = await Promise.race([words, new Promise((go) => setTimeout(() => go(null), 250))]);
  if (sheet !== loading) return;
  paint(picture);
  drawWords(loading.words || []);
  layOut();
  element.classList.remove('loading-page', 'opening');
  if (!loading.words) words.then((late) => { if (sheet === loading) drawWords(loading.words = late); });
  sharpen();
  preload(loading);
}

function paint({ url }) {
  const paper = part('.paper');
  let image = paper.querySelector('img');
  if (!image) {
    image = document.createElement('img');
    image.draggable = false;
    paper.replaceChildren(image);
  }
  image.src = url;
  image.alt = part('.sheet').dataset.alt;
}

function failed(text) {
  element.classList.remove('loading-page', 'opening');
  const problem = document.createElement('p');
  problem.className = 'problem';
  problem.setAttribute('role', 'alert');
  problem.dir = 'auto';
  problem.textContent = text;
  part('.paper').replaceChildren(problem);
  part('.words').replaceChildren();
  sheet.words = [];
  sheet.key = '';
}

// Replaces the picture by one for the present zoom, once nobody zooms any more.
let sharpening = 0;
function sharpen() {
  clearTimeout(sharpening);
  sharpening = setTimeout(async () => {
    const now = sheet;
    if (!now?.aspect) return;
    const width = widthFor(sheetWidth());
    if (width <= now.width) return;
    const picture = await pictureOf(now, width).catch(() => null); // the one that is shown serves as well
    if (!picture || sheet !== now || now.width >= width) return;
    now.width = width;
    paint(picture);
  }, 150);
}

// The neighbours, when the page itself is there, so that they appear at once.
function preload({ document: id, page, pages }) {
  setTimeout(() => {
    if (sheet?.document !== id || sheet.page !== page) return;
    for (const near of [page + 1, page - 1]) {
      if (near < 0 || near >= pages) continue;
      pictureOf({ document: id, page: near }, widthFor(sheetWidth())).catch(() => {});
      wordsOf({ document: id, page: near }).catch(() => {});
    }
  }, 60);
}

// ---- the words: transparent, each where it is printed

const ruler = document.createElement('canvas').getContext('2d');
ruler.font = '100px sans-serif';

function drawWords(words) {
  const layer = document.createElement('div');
  layer.className = 'layer';
  layer.lang = '';
  const placed = words.map(([text, left, top, right, bottom]) => ({
    text, x: left * LAYER, y: top * LAYER * sheet.aspect, right: right * LAYER, bottom: bottom * LAYER * sheet.aspect }));
  placed.forEach((word, number) => layer.append(wordElement(word, placed[number - 1], placed[number + 1])));
  layer.style.height = `${LAYER * sheet.aspect}px`;
  part('.words').replaceChildren(layer);
}

// Whether a word is printed from top to bottom, or from bottom to top. A short one tells by the word before it.
function isVertical(word, before) {
  if (word.text.trimEnd().length > 3) return word.bottom - word.y > (word.right - word.x) * 1.2;
  const beside = before && before.x < word.right && word.x < before.right;
  return Boolean(beside && before.vertical && (before.bottom <= word.y + 1 || word.bottom <= before.y + 1));
}

function wordElement(word, before, next) {
  const span = document.createElement('span');
  span.textContent = word.text;
  const wide = word.right - word.x, high = word.bottom - word.y, printed = word.text.trimEnd();
  const upright = !(word.vertical = isVertical(word, before));
  const size = Math.max((upright ? high : wide) * 0.9, 1);
  const natural = (ruler.measureText(printed).width * size) / 100 || 1;
  Object.assign(span.style, { top: `${word.y}px`, fontSize: `${size}px`, lineHeight: `${upright ? high : wide}px` });
  if (!upright) {
    const up = next && Math.abs(next.x - word.x) < wide && next.y < word.y;
    Object.assign(span.style, { left: `${word.x}px`, writingMode: 'vertical-rl',
      transform: `${up ? `translateY(${high}px) rotate(180deg) translateX(${-wide}px)` : ''} scaleY(${high / natural})` });
    return span;
  }
  const stretch = wide / natural;
  const sameLine = next && /^[^\n]* $/.test(word.text) && Math.min(next.bottom, word.bottom) - Math.max(next.y, word.y) > high / 2;
  const back = RIGHT_TO_LEFT.test(printed);
  const gap = sameLine ? (back ? word.x - next.right : next.x - word.right) : 0;
  if (gap > 0) span.style.wordSpacing = `${gap / stretch - ruler.measureText(' ').width * size / 100}px`;
  Object.assign(span.style, back
    ? { right: `${LAYER - word.right}px`, direction: 'rtl', transformOrigin: '100% 0', transform: `scaleX(${stretch})` }
    : { left: `${word.x}px`, transform: `scaleX(${stretch})` });
  return span;
}

// Words are copied as the page's text has them, with its spaces and line breaks.
function copied(event) {
  const chosen = document.getSelection();
  const layer = part('.layer');
  if (!layer || !chosen.rangeCount || !layer.contains(chosen.anchorNode) || !layer.contains(chosen.focusNode)) return;
  event.clipboardData.setData('text/plain', chosen.getRangeAt(0).cloneContents().textContent.trimEnd());
  event.preventDefault();
}

if (role === 'viewer') mount.addEventListener('copy', copied);
