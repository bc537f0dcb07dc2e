// Runs once in each gr.HTML of the page, with `element`, `trigger`, `props` and `watch` provided by Gradio.
// The server sends escaped HTML in props.value. It is merged into the existing elements, so that focus, typed
// passwords, scroll positions and open details are kept. It does not go through Gradio's templates, which would
// evaluate `${...}` and `{{...}}` in the text of a document.

const mount = element.querySelector('.mount');

// ---- merging

function merge(live, html) {
  const template = document.createElement('template');
  template.innerHTML = html;
  mergeChildren(live, template.content);
}

function mergeChildren(live, next) {
  const keyed = new Map();
  for (const child of live.children) if (child.dataset.key) keyed.set(child.dataset.key, child);
  let here = live.firstChild;
  for (const wanted of [...next.childNodes]) {
    const key = wanted.nodeType === 1 ? wanted.dataset.key : undefined;
    let match = key ? keyed.get(key) : here;
    if (match && (match.nodeType !== wanted.nodeType || match.nodeName !== wanted.nodeName
        || (!key && match.nodeType === 1 && match.dataset.key))) match = null;
    if (!match) {
      live.insertBefore(wanted, here);
      continue;
    }
    if (match !== here) live.insertBefore(match, here);
    else here = here.nextSibling;
    mergeNode(match, wanted);
  }
  while (here) {
    const after = here.nextSibling;
    here.remove();
    here = after;
  }
}

function mergeNode(live, next) {
  if (live.nodeType !== 1) {
    if (live.nodeValue !== next.nodeValue) live.nodeValue = next.nodeValue;
    return;
  }
  if (live.hasAttribute('data-keep')) {
    Object.assign(live.dataset, next.dataset); // its words may have come in another language
    return;
  }
  if (next.hasAttribute('data-base')) return mergeChanges(live, next);
  if (next.hasAttribute('data-same')) { // as it was drawn before, unless that drawing never came
    if (live.dataset.drawn !== next.dataset.same) live.dataset.same = next.dataset.same;
    return;
  }
  for (const { name } of [...live.attributes])
    if (!next.hasAttribute(name) && !(name === 'open' && ['DETAILS', 'DIALOG'].includes(live.nodeName))) live.removeAttribute(name);
  for (const { name, value } of [...next.attributes])
    if (live.getAttribute(name) !== value) live.setAttribute(name, value);
  if (live.type === 'checkbox') live.checked = next.hasAttribute('checked');
  mergeChildren(live, next);
}

// A list of which only the changed rows were sent, if it is the one they change; otherwise it keeps data-base.
function mergeChanges(live, next) {
  const { list, base, gone } = next.dataset;
  if (live.dataset.list !== base) {
    live.dataset.base = base;
    return;
  }
  live.dataset.list = list;
  const row = (id) => live.querySelector(`:scope > [data-key="document-${CSS.escape(id)}"]`);
  for (const id of gone.split(' ').filter(Boolean)) row(id)?.remove();
  for (const wanted of [...next.children]) {
    const known = live.querySelector(`:scope > [data-key="${CSS.escape(wanted.dataset.key)}"]`);
    if (known) mergeNode(known, wanted);
    else if (wanted.dataset.after) row(wanted.dataset.after)?.after(wanted);
    else live.prepend(wanted);
  }
}

// When the element that has the focus is drawn no more, the focus goes to the first beside it that can have it.
let focused = null;
mount.addEventListener('focusin', (event) => { focused = event.target; });
mount.addEventListener('focusout', (event) => { if (event.relatedTarget) focused = null; });

function keepFocus() {
  if (!focused || focused.isConnected) return;
  focused = null;
  if (document.activeElement !== document.body) return;
  (mount.querySelector('button:not([disabled]), input:not([disabled])') || document.querySelector('.drop input'))?.focus();
}

let drawn = 0;
const beforeDrawing = []; // functions of the other scripts, called before each drawing
const afterDrawing = []; // and after it

function draw() {
  const value = props.value || '';
  const began = +(/^<!--(\d+)-->/.exec(value)?.[1] || 0);
  if (began < drawn) return; // a newer drawing came first
  drawn = began;
  const scroller = mount.closest('.scrolls');
  for (const prepare of beforeDrawing) prepare(scroller);
  const change = () => merge(mount, value.replace(/^<!--\d+-->/, ''));
  // What comes late, into turns that were drawn empty, must not push the one that is read out of its place.
  if (mount.querySelector('[data-same]')) inPlace(change, document.querySelector('#conversation .turn'));
  else change();
  element.classList.remove('opening');
  for (const done of afterDrawing) done(scroller);
  keepFocus();
}

// ---- acting: what a click on an element with data-do="NAME" does is in `actions`, which the other scripts fill

const actions = {};
const narrow = () => window.matchMedia('(max-width: 860px)').matches;
const panel = (name) => { document.body.dataset.panel = name; };

// Gives the conversation more or less room, and what somebody reads stays where it is on the screen: `at`, if it is in
// sight, or else what stands a third of the way down.
function inPlace(change, at = null) {
  const scroller = document.getElementById('talk-scroll'), seen = scroller.getBoundingClientRect();
  const inSight = at && scroller.contains(at) && at.getBoundingClientRect().bottom > seen.top && at.getBoundingClientRect().top < seen.bottom;
  const still = inSight ? at : document.elementFromPoint(seen.left + seen.width / 2, seen.top + seen.height / 3);
  const top = still?.getBoundingClientRect().top;
  change();
  if (!still || !scroller.contains(still) || still === scroller) return;
  const settle = () => { scroller.scrollTop += still.getBoundingClientRect().top - top; };
  scroller.style.overflowAnchor = 'none'; // or the browser moves it as well
  settle();
  requestAnimationFrame(() => { scroller.style.overflowAnchor = ''; });
}

function showViewer(open, at) {
  if (open === (document.body.dataset.viewer === 'open')) return;
  inPlace(() => {
    if (open) document.body.dataset.viewer = 'open';
    else delete document.body.dataset.viewer;
  }, at);
}

// Shows the viewer at once, before its content arrives.
function opening(button) {
  showViewer(true, button);
  document.getElementById('viewer')?.querySelector('.mount')?.parentElement.classList.add('opening');
  window.askOpenedFrom = button;
  pushPanel('viewer', () => window.askCloseViewer?.());
  window.askOpening = (window.askOpening || 0) + 1;
  if (narrow()) panel('viewer');
}

function view(name) {
  document.body.dataset.view = name;
  for (const button of document.querySelectorAll('.tabs button'))
    button.setAttribute('aria-pressed', String(button.dataset.view === name));
}

// Asks for a second click before `send`: the button shows the question, and resets itself after four seconds.
function confirmed(button, send) {
  if (button.hasAttribute('data-keep')) {
    send();
    return reset(button);
  }
  button.setAttribute('data-keep', '');
  button.textContent = button.dataset.sure;
  button.dataset.label = button.getAttribute('aria-label');
  button.setAttribute('aria-label', `${button.dataset.sure} ${button.dataset.label}`);
  setTimeout(() => reset(button), 4000);
}

function reset(button) {
  button.removeAttribute('data-keep');
  button.textContent = '✕';
  if (button.dataset.label) button.setAttribute('aria-label', button.dataset.label);
}

mount.addEventListener('click', (event) => {
  const target = event.target.closest('[data-do]');
  if (target && !target.disabled && !['FORM', 'SELECT'].includes(target.nodeName) && target.type !== 'checkbox') actions[target.dataset.do]?.(target);
});
mount.addEventListener('change', (event) => {
  if (event.target.dataset.do) actions[event.target.dataset.do]?.(event.target);
});
mount.addEventListener('submit', (event) => {
  event.preventDefault();
  actions[event.target.dataset.do]?.(event.target);
});
