// Conversations: the drawer that lists them, the address and title of the page, and what is typed but not asked.

const here = () => document.querySelector('#drawer .here')?.dataset || {};
const questionBox = () => document.querySelector('#question textarea');

// Keeps what is typed in this tab, so that a reload, Back or a restart of the program loses nothing.
function keepTyped() {
  const typed = questionBox()?.value || '';
  try {
    if (typed) sessionStorage.setItem(`ask-draft:${here().conversation}`, typed);
    else sessionStorage.removeItem(`ask-draft:${here().conversation}`);
  } catch { /* without storage only the server keeps it */ }
}

function closeDrawer() {
  delete document.body.dataset.drawer;
  trigger('act', { do: 'list', open: false });
  showExpanded();
}

// What the drawer covers cannot be reached by Tab.
function showExpanded() {
  const open = document.body.dataset.drawer === 'open';
  for (const id of ['library-panel', 'panels', 'head']) {
    const covered = document.getElementById(id);
    if (covered) covered.inert = open && (id === 'library-panel' || narrow());
  }
  document.querySelector('#head [data-do=drawer]')?.setAttribute('aria-expanded', String(open));
}
if (role === 'head') {
  afterDrawing.push(showExpanded);
  matchMedia('(max-width: 860px)').addEventListener('change', showExpanded);
}

Object.assign(actions, {
  drawer() { window.askDrawer?.(); },
  begin() { goTo(''); leaving(); trigger('act', { do: 'begin' }); },
  visit(link) { goTo(link.dataset.conversation); leaving(); trigger('act', { do: 'visit', conversation: link.dataset.conversation }); },
  older() { trigger('act', { do: 'older' }); },
  restore() { trigger('act', { do: 'restore' }); },
  delete(button) { trigger('act', { do: 'delete', conversation: button.dataset.conversation }); },
  rename(form) {
    const menu = form.closest('details');
    menu.open = false;
    menu.querySelector('summary').focus();
    trigger('act', { do: 'rename', conversation: form.dataset.conversation, title: form.querySelector('input').value });
  },
  earlier(button) { button.disabled = true; trigger('act', { do: 'earlier' }); },
});

// Before another conversation is shown.
function leaving() {
  sendTyped();
  if (narrow()) closeDrawer();
}

let typedTimer = 0;
let unsent = null; // conversation and text typed, not yet sent to the server

function sendTyped() {
  clearTimeout(typedTimer);
  if (unsent) trigger('act', { do: 'draft', ...unsent });
  unsent = null;
}

// Earlier questions come when one scrolls up to the button that asks for them; what is read stays where it is.
if (role === 'earlier') {
  const scroller = mount.closest('.scrolls');
  let at = 0;
  scroller.addEventListener('scroll', () => {
    const up = scroller.scrollTop < at;
    at = scroller.scrollTop;
    const more = mount.querySelector('.more-earlier:enabled');
    if (up && at < 400 && more) actions.earlier(more);
  }, { passive: true });
  let first = null; // the turn that stood first while earlier ones were asked for, and where it was
  beforeDrawing.push(() => {
    const turn = mount.querySelector('.more-earlier[disabled] ~ .turn');
    first = turn && { key: turn.dataset.key, top: turn.getBoundingClientRect().top };
  });
  afterDrawing.push(() => {
    const turn = first && mount.querySelector(`[data-key="${first.key}"]`);
    if (turn) scroller.scrollTop += turn.getBoundingClientRect().top - first.top;
  });
}

// Gradio says in English toasts over the head that the server is lost, and reloads the page when it is back, or that it
// is busy. Ours are calmer.
if (role === 'note') {
  new MutationObserver(() => {
    const toast = document.querySelector('.toast-body.error:not([data-said])');
    const line = mount.querySelector('.trouble');
    if (!toast || !line) return;
    const lost = /connection to the server was lost/i.test(toast.textContent);
    if (!lost && !/currently busy|queue is full/i.test(toast.textContent)) return;
    toast.dataset.said = ''; // before the line changes, which calls this again
    if (lost) document.body.dataset.lost = 'true';
    line.textContent = lost ? line.dataset.lost : line.dataset.busy;
    line.hidden = false;
    if (lost) return;
    setTimeout(() => { line.hidden = !document.body.dataset.lost; }, 10_000);
  }).observe(document.body, { childList: true, subtree: true });
}

if (role === 'drawer') {
  window.askDrawer = () => {
    if (document.body.dataset.drawer === 'open') {
      closeDrawer();
      document.querySelector('#head [data-do=drawer]')?.focus();
      return;
    }
    document.body.dataset.drawer = 'open';
    showExpanded();
    trigger('act', { do: 'list', open: true });
  };
  window.askVisit = (id) => {
    if (id === here().conversation) return;
    sendTyped();
    trigger('act', { do: 'visit', conversation: id });
  };

  afterDrawing.push(() => {
    const { conversation, title, name, loaded } = here();
    document.title = title ? `${title} · ${name}` : name;
    const named = conversationIn(location.pathname);
    if (loaded !== 'true') return void (named && trigger('act', { do: 'visit', conversation: named }));
    if (named !== conversation) history.replaceState(history.state, '', addressOf(conversation));
    setTimeout(keepTyped, 200); // once the question box has its new text
    focusWithin();
  });

  // After the drawer opened, and where what had the focus has gone, as a conversation that was deleted.
  let focused = false;
  const focusWithin = () => {
    const open = document.body.dataset.drawer === 'open' && mount.querySelector('.seek');
    const lost = document.activeElement === document.body;
    if (open && (!focused || lost)) (mount.querySelector('.deleted button') || (narrow() ? mount.querySelector('header button') : open)).focus();
    focused = Boolean(open);
  };
  mount.addEventListener('toggle', (event) => {
    if (event.target.open) event.target.querySelector('div').scrollIntoView({ block: 'nearest' });
  }, true);

  addEventListener('input', (event) => {
    if (event.target !== questionBox()) return;
    keepTyped();
    if (!here().conversation) return;
    unsent = { conversation: here().conversation, text: event.target.value };
    clearTimeout(typedTimer);
    typedTimer = setTimeout(sendTyped, 800);
  });
  addEventListener('pagehide', keepTyped);
  // What is asked is no draft any more.
  const asked = () => { clearTimeout(typedTimer); unsent = null; };
  addEventListener('click', (event) => { if (event.target.closest('#ask')) asked(); }, true);
  addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && event.target === questionBox()) asked();
  }, true);
  // Gradio's button above the conversation does on the server what `begin` does.
  addEventListener('click', (event) => { if (event.target.closest('#new')) { goTo(''); sendTyped(); } }, true);

  let seeking = 0;
  mount.addEventListener('input', (event) => {
    if (!event.target.matches('.seek')) return;
    clearTimeout(seeking);
    seeking = setTimeout(() => trigger('act', { do: 'search', text: event.target.value }), 200);
  });
  // A click with a modifier opens a conversation in another tab, as with any link.
  mount.addEventListener('click', (event) => {
    if (!event.target.closest('a[data-do]')) return;
    if (event.ctrlKey || event.metaKey || event.shiftKey) event.stopImmediatePropagation();
    else event.preventDefault();
  }, true);
  addEventListener('click', (event) => {
    for (const menu of mount.querySelectorAll('.talk-menu[open]'))
      if (!menu.contains(event.target) && event.target.isConnected) menu.open = false;
  });
  addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || event.isComposing || document.body.dataset.drawer !== 'open') return;
    if (!mount.contains(document.activeElement)) {
      const other = document.querySelector('dialog[open], :popover-open, .turn.running, .turn details[open], .choice[open]');
      if (!other && document.body.dataset.viewer !== 'open') closeDrawer();
      return;
    }
    event.stopImmediatePropagation(); // so that it does not close the viewer as well
    const menu = mount.querySelector('.talk-menu[open]');
    if (!menu) return window.askDrawer();
    menu.open = false;
    menu.querySelector('summary').focus();
  }, true);
}
