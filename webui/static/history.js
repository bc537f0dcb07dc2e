// The browser's history: an entry for each conversation, and one on top of it for each open panel, so that Back closes
// the panel first. The parts of the page share one list of open panels: each entry of the history names those under it.

const openPanels = window.askPanels ||= []; // { name, close }, the last opened last

// Call it when a panel opens. `close` is called when Back is pressed; it must not change the history itself.
function pushPanel(name, close) {
  const known = openPanels.find((open) => open.name === name);
  if (known) { known.close = close; return; }
  openPanels.push({ name, close });
  if (history.state?.panels?.includes(name)) return; // the page was reloaded while it was open
  history.pushState({ panels: openPanels.map((open) => open.name) }, '');
}

// Call it when a panel was closed on the page: takes its entry back, if it has one.
function popPanel(name) {
  const at = openPanels.findIndex((open) => open.name === name);
  if (at < 0) return;
  openPanels.splice(at, 1);
  window.askIgnoredPops = (window.askIgnoredPops || 0) + 1;
  history.back();
}

const conversationIn = (path) => /\/c\/([\w-]+)$/.exec(path)?.[1] || '';
const addressOf = (id) => new URL(id ? `c/${id}` : '.', document.baseURI);

// A new entry for another conversation; it takes the place of the entries of open panels.
function goTo(id) {
  const replaced = openPanels.length > 0;
  openPanels.length = 0;
  history[replaced ? 'replaceState' : 'pushState'](null, '', addressOf(id));
}

// The viewer is open while the server has something for it: also after a reload, or when a conversation is opened again.
if (role === 'viewer') {
  window.askCloseViewer = () => actions.close();
  afterDrawing.push(() => {
    if (!mount.firstElementChild) return;
    const open = document.body.dataset.viewer === 'open', closing = window.askClosing;
    if (mount.querySelector('.empty')) {
      window.askClosing = false;
      if (closing && open) return; // it was opened again before the server closed it
      showViewer(false);
      return popPanel('viewer');
    }
    if (closing && !open) return; // drawn before the server closed it
    showViewer(true);
    if (history.state?.panels?.includes('viewer')) pushPanel('viewer', window.askCloseViewer);
  });
}

if (role === 'drawer') {
  addEventListener('popstate', (event) => {
    if (window.askIgnoredPops) { window.askIgnoredPops -= 1; return; }
    const kept = event.state?.panels || [];
    for (const panel of [...openPanels].reverse()) {
      if (kept.includes(panel.name)) continue;
      openPanels.splice(openPanels.indexOf(panel), 1);
      panel.close();
    }
    const source = window.askOpenedFrom;
    if (kept.includes('viewer') && source?.isConnected && !openPanels.some((open) => open.name === 'viewer')) source.click(); // Forward
    window.askVisit?.(conversationIn(location.pathname));
  });
}
