// The viewer: scrolls to the mark, turns pages, closes.

// When a page was last marked, in ms: the second click of a double click would undo it.
let marked = -Infinity;

Object.assign(actions, {
  close() {
    delete document.body.dataset.viewer;
    panel('talk');
    trigger('act', { do: 'close' });
    if (window.askOpenedFrom?.isConnected) window.askOpenedFrom.focus();
  },
  back() { element.classList.add('opening'); trigger('act', { do: 'back' }); },
  turn(button) { element.classList.add('opening'); trigger('act', { do: 'turn', page: +button.dataset.page }); },
  right(button) {
    if (performance.now() - marked < 500) return;
    marked = performance.now();
    const { document, page } = button.dataset;
    trigger('act', { do: 'right', document, page: +page, right: button.getAttribute('aria-pressed') !== 'true' });
  },
  evaluate() { view('evaluation'); panel('talk'); trigger('act', { do: 'evaluate' }); },
});

// Scrolls to the highlighted passage when another page or highlight is shown, not at every drawing.
let sheetShown = '';
function showMarked(scroller) {
  const image = mount.querySelector('.sheet img');
  const boxes = [...mount.querySelectorAll('.sentence-box, .passage-box')];
  const at = image ? [image.alt, ...boxes.map((box) => box.getAttribute('style'))].join('|') : '';
  if (at === sheetShown) return;
  sheetShown = at;
  if (!image) return;
  const sheet = mount.querySelector('.sheet');
  const mark = mount.querySelector('.sentence-box') || boxes[0];
  const top = mark ? sheet.offsetTop + (parseFloat(mark.style.top) / 100) * sheet.offsetHeight - 200 : 0;
  requestAnimationFrame(() => scroller?.scrollTo({ top: top > 60 ? top : 0 }));
}

if (role === 'viewer') {
  afterDrawing.push(showMarked);
  addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !event.isComposing && document.body.dataset.viewer === 'open') actions.close();
  });
}
