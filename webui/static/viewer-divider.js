// The divider between conversation and viewer: dragged, or moved by the arrow keys; its place is remembered.

const NARROWEST = 320; // CSS pixels of the viewer
const TALK = 360; // CSS pixels that the conversation keeps
const KEY_STEP = 32;

const root = document.documentElement;
const viewerPanel = () => document.getElementById('viewer-panel');

function widest() {
  const library = document.getElementById('library-panel')?.getBoundingClientRect().width || 0;
  return Math.max(innerWidth - library - TALK - 56, NARROWEST);
}

function setViewerWidth(pixels) {
  const width = Math.round(Math.min(Math.max(pixels, NARROWEST), widest()));
  inPlace(() => root.style.setProperty('--viewer-width', `${width}px`));
  describeDivider(width);
  return width;
}

function describeDivider(width) {
  const divider = part('.divider');
  divider?.setAttribute('aria-valuenow', String(Math.round(width)));
  divider?.setAttribute('aria-valuemin', String(NARROWEST));
  divider?.setAttribute('aria-valuemax', String(Math.round(widest())));
}

function dragged(event) {
  const divider = event.target.closest('.divider');
  if (!divider || event.button) return;
  event.preventDefault();
  divider.focus();
  divider.setPointerCapture(event.pointerId);
  const right = viewerPanel().getBoundingClientRect().right;
  const grip = viewerPanel().getBoundingClientRect().left - event.clientX;
  document.body.classList.add('dividing');
  divider.onpointermove = (move) => setViewerWidth(right - move.clientX - grip);
  divider.onlostpointercapture = () => {
    divider.onpointermove = divider.onlostpointercapture = null;
    document.body.classList.remove('dividing');
    remember('ask-viewer-width', String(Math.round(viewerPanel().getBoundingClientRect().width)));
  };
}

function moved(event) {
  if (!event.target.matches('.divider')) return;
  const now = viewerPanel().getBoundingClientRect().width;
  const to = { ArrowLeft: now + KEY_STEP, ArrowRight: now - KEY_STEP, Home: NARROWEST, End: widest() }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  remember('ask-viewer-width', String(setViewerWidth(to)));
}

if (role === 'viewer') {
  const width = +recall('ask-viewer-width');
  if (width) root.style.setProperty('--viewer-width', `${Math.max(width, NARROWEST)}px`); // clamped by the style sheet
  mount.addEventListener('pointerdown', dragged);
  mount.addEventListener('keydown', moved);
  mount.addEventListener('dblclick', (event) => {
    if (!event.target.matches('.divider')) return;
    inPlace(() => root.style.removeProperty('--viewer-width'));
    try { localStorage.removeItem('ask-viewer-width'); } catch { /* without storage it was not remembered */ }
  });
  afterDrawing.push(() => describeDivider(viewerPanel().getBoundingClientRect().width));
}
