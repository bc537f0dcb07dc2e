// The keyboard: shortcuts of a single key where nobody is typing, what Escape ends, and the list of all shortcuts.

Object.assign(actions, {
  help() { help(); },
  skip() { toQuestion(); },
  keys(box) {
    try { localStorage.setItem('ask-keys', box.checked ? 'on' : 'off'); } catch { /* without storage it is not remembered */ }
    document.body.dataset.keys = box.checked ? 'on' : 'off';
  },
});

function help() {
  const dialog = document.getElementById('help');
  if (dialog.open) return dialog.close();
  const box = dialog.querySelector('[data-do=keys]');
  if (box) box.checked = document.body.dataset.keys !== 'off';
  dialog.showModal();
}

const button = (selector) => document.querySelector(selector);

function focusOn(name, selector) {
  if (narrow()) panel(name);
  const field = button(selector);
  field?.focus();
  field?.select?.();
}

function toQuestion() {
  if (document.body.dataset.view !== 'talk') button('.tabs [data-view=talk]')?.click();
  focusOn('talk', '#question textarea');
}

// The citations of the answer whose source is open, or of the last one; its sources where it cites none.
function step(by) {
  const { exchange, sentence, number } = window.askOpenedFrom?.dataset || {};
  const turn = exchange && button(`.turn[data-key="turn-${exchange}"]`) || [...document.querySelectorAll('.turn')].at(-1);
  if (!turn) return;
  const cites = [...turn.querySelectorAll(':is(.answer, .short) [data-do=open]')];
  const all = cites.length ? cites : [...turn.querySelectorAll('[data-do=open]')];
  const seen = new Set(), steps = all.filter((one) => {
    const key = `${one.dataset.sentence} ${one.dataset.number}`;
    return !seen.has(key) && seen.add(key);
  });
  const at = document.body.dataset.viewer === 'open'
    ? steps.findIndex((one) => one.dataset.sentence === sentence && one.dataset.number === number) : -1;
  const next = steps[at < 0 ? (by > 0 ? 0 : steps.length - 1) : at + by];
  next?.scrollIntoView({ block: 'nearest' });
  next?.click();
}

// Turns the page of the viewer, also while the focus is elsewhere.
function turnPage(name) {
  const turns = document.querySelectorAll('#viewer .turner .icon[data-do=turn]');
  const arrow = turns[name === 'next' ? turns.length - 1 : 0];
  if (document.body.dataset.viewer !== 'open' || !arrow) return false;
  arrow.click();
  return true;
}

const shortcuts = {
  '?': help,
  '/': toQuestion,
  f: () => focusOn('library', '#documents .filter'),
  j: () => step(1),
  k: () => step(-1),
  ArrowLeft: () => turnPage('previous'),
  ArrowRight: () => turnPage('next'),
  n: () => { if (button('#new')?.checkVisibility()) button('#new').click(); focusOn('talk', '#question textarea'); },
  e: () => button(`.tabs [data-view=${document.body.dataset.view === 'evaluation' ? 'talk' : 'evaluation'}]`)?.click(),
  h: () => button('#head [data-do=drawer]')?.click(),
};

function pressedKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  if (document.body.dataset.keys === 'off' || button('dialog[open], :popover-open')) return;
  if (event.target.closest?.('input:not([type=checkbox]), select, textarea, [contenteditable], [role=separator], [role=tree], [role=tablist]')) return;
  const doing = shortcuts[event.key];
  if (!doing || (event.key.startsWith('Arrow') && event.target.closest?.('#viewer'))) return; // the viewer has arrows of its own
  if (doing() !== false) event.preventDefault();
}

// Escape ends one thing at a time: what lies on top, what is open around the focus, the answer being made, the page.
function escaped(event) {
  if (event.key !== 'Escape' || event.isComposing) return;
  if (button('dialog[open], :popover-open')) return event.stopImmediatePropagation(); // the browser closes it
  const open = event.target.closest?.('.turn details[open]') || button('.turn .menu[open]');
  if (open) {
    open.open = false;
    open.querySelector('summary').focus();
    event.stopImmediatePropagation();
  } else if (button('#conversation .turn.running') && !event.target.closest?.('#viewer')) {
    button('#stop').click();
    event.stopImmediatePropagation();
  }
}

if (role === 'head') {
  try { document.body.dataset.keys = localStorage.getItem('ask-keys') || 'on'; } catch { /* without storage they are on */ }
  addEventListener('keydown', escaped, true);
  addEventListener('keydown', pressedKey);
  mount.addEventListener('click', (event) => { if (event.target.matches('dialog')) event.target.close(); }); // beside it
}
