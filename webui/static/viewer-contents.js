// What one can jump to in a document: its outline, and small pictures of its pages, loaded as they come into view.

const ROOM = 820; // CSS pixels of the viewer from which the contents are open by themselves
const THUMBNAIL = 190; // CSS pixels from one small picture to the next

let listed = null; // {document, tab} of what is drawn

Object.assign(actions, {
  contents() {
    const open = !element.classList.contains('with-contents');
    element.classList.toggle('with-contents', open);
    remember('ask-contents', open ? 'open' : 'closed');
    if (open) {
      drawContents(shownPage());
      part('.contents [aria-selected=true]')?.focus();
    }
  },
});

const wide = () => element.clientWidth >= ROOM;

// Called for each page that is shown.
function drawContents(now) {
  const open = recall('ask-contents');
  if (!element.dataset.contents) {
    element.dataset.contents = 'decided';
    element.classList.toggle('with-contents', wide() && open !== 'closed');
  }
  if (!element.classList.contains('with-contents')) return;
  contentsOf(now.document).then((contents) => {
    if (sheet?.document !== now.document) return;
    if (listed?.document !== now.document || listed.language !== document.documentElement.lang)
      build(now.document, contents, contents.outline.length ? 'outline' : 'thumbnails');
    follow(shownPage().page);
  }, () => {});
}

function make(kind, attributes, ...children) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'class') made.className = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

const word = (name) => part('[data-key=contents-words]').dataset[name];

function build(id, contents, tab) {
  const { labels, outline } = contents;
  listed = { document: id, tab, labels, outline, language: document.documentElement.lang };
  const pane = part('.contents');
  pane.setAttribute('aria-label', word('contents'));
  const tabs = make('div', { class: 'tabs', role: 'tablist' });
  for (const name of ['outline', 'thumbnails']) {
    const button = make('button', { type: 'button', role: 'tab', 'aria-selected': String(name === tab), tabindex: name === tab ? 0 : -1 }, word(name));
    button.onclick = () => { build(id, contents, name); follow(shownPage().page); part('.contents [aria-selected=true]').focus(); };
    button.onkeydown = (event) => {
      if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
      event.stopPropagation();
      tabs.querySelector('[aria-selected=false]').click();
    };
    tabs.append(button);
  }
  const shown = tab === 'outline' ? outlineList(outline) : thumbnailList(labels.length);
  const note = tab === 'outline' && outline.length && contents.found ? [make('p', { class: 'note' }, word('found'))] : [];
  pane.replaceChildren(tabs, ...note, shown);
}

function outlineList(outline) {
  if (!outline.length) return make('p', { class: 'nothing' }, word('empty'));
  const list = make('ol', { class: 'outline', role: 'list', 'data-roving': '' });
  for (const [title, level, page] of outline) {
    const button = make('button', { type: 'button', dir: 'auto', style: `--level: ${Math.min(level, 6)}` }, title);
    button.onclick = () => jump(page);
    list.append(make('li', {}, button));
  }
  return list;
}

// Of thousands of pages only those in view are elements.
function thumbnailList(count) {
  const list = make('div', { class: 'thumbnails', tabindex: -1, 'data-roving': '' });
  const inner = make('div', { style: `height: ${count * THUMBNAIL}px` });
  list.append(inner);
  let waiting = 0;
  list.onscroll = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => fill(list, inner, count), 70);
  };
  requestAnimationFrame(() => fill(list, inner, count));
  return list;
}

function fill(list, inner, count) {
  const first = Math.max(Math.floor(list.scrollTop / THUMBNAIL) - 1, 0);
  const last = Math.min(Math.ceil((list.scrollTop + list.clientHeight) / THUMBNAIL) + 1, count);
  const there = new Map([...inner.children].map((child) => [+child.dataset.page, child]));
  for (const [page, child] of there) if ((page < first || page >= last) && child !== document.activeElement) child.remove();
  for (let page = first; page < last; page += 1) if (!there.has(page)) inner.append(thumbnail(page));
  follow(shownPage().page, false);
}

function thumbnail(page) {
  const label = listed.labels[page];
  const width = window.devicePixelRatio > 1 ? 320 : 160;
  const picture = make('img', { alt: '', src: address(`document/${listed.document}/page/${page}?width=${width}`), draggable: 'false' });
  picture.onerror = () => picture.remove();
  const button = make('button', { type: 'button', 'data-page': page, style: `top: ${page * THUMBNAIL}px`,
    'aria-label': word('page').replace('{label}', label) }, make('span', { class: 'frame' }, picture), make('span', {}, label));
  button.onclick = () => jump(page);
  button.onkeydown = (event) => {
    const last = listed.labels.length - 1;
    const to = { ArrowDown: page + 1, ArrowRight: page + 1, ArrowUp: page - 1, ArrowLeft: page - 1, Home: 0, End: last }[event.key];
    if (to === undefined || to < 0 || to > last) return;
    event.preventDefault();
    thumbnailOf(to).focus();
  };
  return button;
}

// The small picture of a page, which is made if the page is not in view.
function thumbnailOf(page) {
  const there = () => part(`.thumbnails [data-page="${page}"]`);
  if (!there()) {
    const list = part('.thumbnails');
    list.scrollTop = page * THUMBNAIL;
    fill(list, list.firstChild, listed.labels.length);
  }
  return there();
}

function jump(page) {
  turnTo(page);
  if (!wide()) element.classList.remove('with-contents');
}

// Shows which entry the page belongs to.
function follow(page, scroll = true) {
  if (!listed) return;
  const buttons = [...mount.querySelectorAll('.contents :is(.outline, .thumbnails) button')];
  let current = listed.outline.findLastIndex(([, , at]) => at <= page);
  const before = part('.contents [aria-current]');
  if (listed.tab === 'thumbnails') current = buttons.findIndex((button) => +button.dataset.page === page);
  before?.removeAttribute('aria-current');
  buttons[current]?.setAttribute('aria-current', 'true');
  const list = part('.contents .thumbnails, .contents .outline');
  if (!list) return;
  makeStop(list, list.querySelector('button:focus') || buttons[current] || buttons[0]);
  if (!scroll) return;
  const top = listed.tab === 'thumbnails' ? page * THUMBNAIL : buttons[current]?.offsetTop ?? 0;
  if (top < list.scrollTop || top + (listed.tab === 'thumbnails' ? THUMBNAIL : 30) > list.scrollTop + list.clientHeight)
    list.scrollTop = Math.max(top - list.clientHeight / 3, 0);
}
