// The viewer: which page it shows, turning pages, closing, keyboard and focus. The other viewer-*.js scripts draw it.

// When a page was last marked, in ms: the second click of a double click would undo it.
let marked = -Infinity;

Object.assign(actions, {
  close() { closeViewer(); },
  back() { turned = null; clearTimeout(sending); element.classList.add('opening'); trigger('act', { do: 'back' }); },
  newer() {
    window.askOpening = (window.askOpening || 0) + 1; // so that its heading gets the focus
    element.classList.add('opening');
    trigger('act', { do: 'newer' });
  },
  'ask-newer'(button) {
    closeViewer();
    trigger('again', { do: 'retry', exchange: +button.dataset.exchange });
  },
  turn(button) { turnTo(+button.dataset.page); },
  go(form) { goToPage(form.querySelector('input')); },
  right(button) {
    if (performance.now() - marked < 500) return;
    marked = performance.now();
    const { document, page } = button.dataset;
    trigger('act', { do: 'right', document, page: +page, right: button.getAttribute('aria-pressed') !== 'true' });
  },
  evaluate() { view('evaluation'); panel('talk'); trigger('act', { do: 'evaluate' }); },
});

const part = (selector) => mount.querySelector(selector);
const address = (path) => new URL(path, document.baseURI);

// ---- the page shown: `turned` is ahead of what the server drew while somebody turns pages quickly

let turned = null; // page turned to that the server has not drawn yet
let turnedIn = ''; // the document and the opening in which it was
let sending = 0;
let asked = false; // the server was sent a page and has not drawn it yet: two at once might end in either order
const LOST = 10_000; // ms after which the server is asked again

function shownPage() {
  const sheet = part('.sheet');
  return { document: sheet.dataset.document, page: turned ?? +sheet.dataset.page, pages: +sheet.dataset.pages };
}

function turnTo(page) {
  const shown = part('.sheet') && shownPage();
  if (!shown) return;
  const next = Math.min(Math.max(page, 0), shown.pages - 1);
  if (next === shown.page) return;
  turned = next;
  turnedIn = `${shown.document}/${window.askOpening}`;
  element.classList.add('turning');
  showSheet({ ...shown, page: next }, { top: true });
  clearTimeout(sending);
  sending = setTimeout(sendTurned, 120);
}

function sendTurned() {
  clearTimeout(sending);
  if (asked || turned === null) return;
  asked = true;
  sending = setTimeout(() => { asked = false; sendTurned(); }, LOST);
  trigger('act', { do: 'turn', page: turned });
}

// The page box takes a label, such as iv or 12, or else the number of a page.
async function goToPage(box) {
  const { document: id, pages } = shownPage();
  const wanted = box.value.trim().toLowerCase();
  const { labels } = await contentsOf(id);
  const labelled = labels.findIndex((label) => label.toLowerCase() === wanted);
  const page = labelled >= 0 ? labelled : /^\d{1,7}$/.test(wanted) ? +wanted - 1 : -1;
  if (page >= 0 && page < pages) {
    turnTo(page);
    part('.desk').focus({ preventScroll: true });
    return;
  }
  box.setCustomValidity(box.dataset.missing.replace('{page}', box.value.trim()).replace('{pages}', pages));
  box.reportValidity();
}

// What a document can be jumped to: labels of pages, outline, and whether the file asks for a password.
const known = new Map();
function contentsOf(id) {
  if (!known.has(id)) {
    const loading = fetch(address(`document/${id}/contents`)).then((response) => {
      if (!response.ok) throw new Error(String(response.status));
      return response.json();
    });
    loading.catch(() => known.delete(id));
    known.set(id, loading);
  }
  return known.get(id);
}

function drawBar({ document: id, page, pages }) {
  const box = part('.page-box');
  const label = (labels) => { if (document.activeElement !== box) box.value = labels?.[page] ?? box.dataset.shown; };
  box.setCustomValidity('');
  if (turned === null) label(null);
  for (const button of mount.querySelectorAll('.turner [data-do=turn].icon')) {
    const to = page + (button.nextElementSibling ? -1 : 1);
    button.dataset.page = to;
    button.disabled = to < 0 || to >= pages;
  }
  const link = part('.pdf');
  link.hash = `page=${page + 1}`;
  contentsOf(id).then(({ labels, protected: locked }) => {
    if (shownPage().document !== id || shownPage().page !== page) return;
    label(labels);
    if (!locked) return;
    link.title = link.dataset.protected;
    link.setAttribute('aria-label', link.title);
    link.classList.add('locked');
  }, () => {});
}

// ---- opening and closing

let opened = window.askOpening; // the opening whose heading got the focus, counted

function closeViewer() {
  if (document.body.dataset.viewer !== 'open') return;
  const from = window.askOpenedFrom;
  const { exchange, number, sentence } = from?.dataset || {};
  const again = from?.isConnected ? from : exchange && document.querySelector(
    `[data-do=open][data-exchange="${exchange}"][data-number="${number}"][data-sentence="${sentence}"]`);
  showViewer(false, again);
  window.askClosing = true; // until the server has drawn it so
  setTimeout(() => { window.askClosing = false; }, LOST);
  panel(from?.closest('#documents') ? 'library' : 'talk');
  trigger('act', { do: 'close' });
  (again || document.querySelector('#question textarea'))?.focus({ preventScroll: true });
}

function opens() {
  if (window.askOpening === opened) return;
  opened = window.askOpening;
  part('h2').focus({ preventScroll: true });
}

// ---- keyboard

const typing = (target) => target.closest('input, select, textarea, [contenteditable]');

function pressed(event) {
  if (event.altKey || event.isComposing || !part('.sheet')) return;
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey) {
    const keys = { f: openFind, '+': () => zoomBy(1), '=': () => zoomBy(1), '-': () => zoomBy(-1), 0: () => setZoom('fit') };
    const doing = keys[event.key.toLowerCase()];
    if (!doing || (event.key === 'f' && document.activeElement?.matches('.find-text'))) return;
    event.preventDefault();
    doing();
    return;
  }
  if (typing(event.target) || event.shiftKey || event.target.closest('[role=separator], [role=tree], [data-roving]')) return;
  const { page, pages } = shownPage();
  const to = { ArrowLeft: page - 1, ArrowRight: page + 1, PageUp: page - 1, PageDown: page + 1, Home: 0, End: pages - 1 }[event.key];
  if (to === undefined || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  turnTo(to);
}

function shows() {
  asked = false;
  if (!part('.sheet')) {
    turned = null;
    return forgetSheet();
  }
  const { document: id, page } = part('.sheet').dataset;
  if (turned !== null && +page !== turned && turnedIn === `${id}/${window.askOpening}`) {
    element.classList.add('turning');
    drawBar(shownPage()); // its buttons turn on from here, not from the page that was drawn
    return sendTurned();
  }
  turned = null;
  clearTimeout(sending);
  element.classList.remove('turning');
  showSheet(shownPage(), {});
  opens();
}

if (role === 'viewer') {
  afterDrawing.push(shows);
  mount.addEventListener('keydown', pressed);
  mount.addEventListener('focusout', (event) => {
    if (event.target.matches('.page-box') && part('.sheet')) drawBar(shownPage());
  });
  mount.addEventListener('input', (event) => { if (event.target.matches('.page-box')) event.target.setCustomValidity(''); });
  addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || event.isComposing || document.body.dataset.viewer !== 'open') return;
    if (element.contains(event.target) && closeFind()) {
      part('.desk')?.focus({ preventScroll: true });
      return;
    }
    closeViewer();
  });
}
