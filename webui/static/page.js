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
  if (live.hasAttribute('data-keep')) return;
  for (const { name } of [...live.attributes])
    if (!next.hasAttribute(name) && !(name === 'open' && live.nodeName === 'DETAILS')) live.removeAttribute(name);
  for (const { name, value } of [...next.attributes])
    if (live.getAttribute(name) !== value) live.setAttribute(name, value);
  if (live.type === 'checkbox') live.checked = next.hasAttribute('checked');
  mergeChildren(live, next);
}

let drawn = 0;

function draw() {
  const value = props.value || '';
  const began = +(/^<!--(\d+)-->/.exec(value)?.[1] || 0);
  if (began < drawn) return; // a newer drawing came first
  drawn = began;
  const scroller = mount.closest('.scrolls');
  const atEnd = !scroller || scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 120;
  const turn = mount.querySelector('.turn')?.dataset.key;
  merge(mount, value.replace(/^<!--\d+-->/, ''));
  element.classList.remove('opening');
  filter();
  if (scroller && role === 'conversation' && (atEnd || mount.querySelector('.turn')?.dataset.key !== turn))
    scroller.scrollTop = scroller.scrollHeight;
  if (role === 'viewer') showMarked(scroller);
  if (role === 'head') document.documentElement.lang = mount.querySelector('[data-do=language]')?.lang === 'en' ? 'zh-CN' : 'en';
}

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

// ---- acting

const narrow = () => window.matchMedia('(max-width: 860px)').matches;
const panel = (name) => { document.body.dataset.panel = name; };

// Shows the viewer at once, before its content arrives.
function opening(button) {
  document.body.dataset.viewer = 'open';
  document.getElementById('viewer')?.querySelector('.mount')?.parentElement.classList.add('opening');
  window.askOpenedFrom = button;
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

// When a page was last marked, in ms: the second click of a double click would undo it.
let marked = -Infinity;

const actions = {
  open(button) {
    const { exchange, number, sentence } = button.dataset;
    opening(button);
    trigger('act', { do: 'open', exchange: +exchange, number: +number, sentence: +sentence });
  },
  anyway(button) { trigger('again', { do: 'anyway', exchange: +button.dataset.exchange }); },
  typed(button) { trigger('again', { do: 'typed', exchange: +button.dataset.exchange }); },
  understood(form) {
    form.closest('details').open = false;
    trigger('again', { do: 'understood', exchange: +form.dataset.exchange, question: form.querySelector('input').value });
  },
  close() {
    delete document.body.dataset.viewer;
    panel('talk');
    trigger('act', { do: 'close' });
    if (window.askOpenedFrom?.isConnected) window.askOpenedFrom.focus();
  },
  back() { element.classList.add('opening'); trigger('act', { do: 'back' }); },
  turn(button) { element.classList.add('opening'); trigger('act', { do: 'turn', page: +button.dataset.page }); },
  choose(box) { trigger('act', { do: 'choose', document: box.dataset.document, chosen: box.checked }); },
  'choose-all'() { trigger('act', { do: 'choose-all' }); },
  refresh() { trigger('act', { do: 'refresh' }); },
  'choose-none'() { trigger('act', { do: 'choose-none' }); },
  details(button) { trigger('act', { do: 'details', document: button.dataset.document }); },
  cancel(button) { trigger('act', { do: 'cancel', job: +button.dataset.job }); },
  remove(button) {
    confirmed(button, () => trigger('act', { do: 'remove', document: button.dataset.document }));
  },
  view(button) { view(button.dataset.view); trigger('act', { do: 'view', view: button.dataset.view }); },
  evaluate() { view('evaluation'); panel('talk'); trigger('act', { do: 'evaluate' }); },
  right(button) {
    if (performance.now() - marked < 500) return;
    marked = performance.now();
    const { document, page } = button.dataset;
    trigger('act', { do: 'right', document, page: +page, right: button.getAttribute('aria-pressed') !== 'true' });
  },
  show(button) { opening(button); trigger('act', { do: 'show', ...questionOf(button) }); },
  unmark(button) { trigger('act', { do: 'unmark', ...questionOf(button) }); },
  forget(button) { confirmed(button, () => trigger('act', { do: 'forget', ...questionOf(button) })); },
  'forget-run'(button) { confirmed(button, () => trigger('act', { do: 'forget-run', run: +button.dataset.run })); },
  run(button) { button.disabled = true; trigger('act', { do: 'run' }); },
  'stop-run'() { trigger('act', { do: 'stop-run' }); },
  line(button) { trigger('act', { do: 'line', line: +button.dataset.line || button.dataset.line }); },
  against(select) { trigger('act', { do: 'against', run: +select.value }); },
  k(select) { trigger('act', { do: 'k', k: +select.value }); },
  export(button) {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([button.dataset.text], { type: 'application/jsonl' }));
    link.download = 'questions.jsonl';
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  },
  unlock(form) {
    const field = form.querySelector('input');
    trigger('act', { do: 'unlock', job: +form.dataset.job, password: field.value });
    field.value = '';
  },
  language(button) {
    document.cookie = `language=${button.lang}; path=/; max-age=31536000; samesite=lax`;
    trigger('act', { do: 'language', language: button.lang });
  },
  theme() {
    const dark = document.body.classList.toggle('dark');
    try { localStorage.setItem('ask-theme', dark ? 'dark' : 'light'); } catch { /* without storage it is not remembered */ }
  },
  models() {
    if (element.classList.contains('opening')) return;
    element.classList.add('opening');
    trigger('act', { do: 'models' });
  },
  pick(form) {
    const typed = form.querySelector('.other input').value.trim();
    const chosen = form.querySelector('input[type=radio]:checked');
    element.classList.add('opening');
    trigger('act', { do: 'pick', model: typed || (chosen ? chosen.value : null), precision: form.querySelector('select').value });
  },
  panel(button) { panel(button.dataset.panel); },
  copy(button) {
    const was = button.textContent;
    copyText(button.dataset.text).then(() => {
      button.textContent = button.dataset.done;
      setTimeout(() => { button.textContent = was; }, 1500);
    });
  },
};

// The saved question that a button belongs to, and the correct page if it names one.
function questionOf(button) {
  const { question, document: id, page } = button.dataset;
  return { question: +question, ...(id ? { document: id, page: +page } : {}) };
}

function reset(button) {
  button.removeAttribute('data-keep');
  button.textContent = '✕';
  if (button.dataset.label) button.setAttribute('aria-label', button.dataset.label);
}

async function copyText(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}

mount.addEventListener('click', (event) => {
  const target = event.target.closest('[data-do]');
  if (target && !target.disabled && !['FORM', 'SELECT'].includes(target.nodeName) && target.type !== 'checkbox') actions[target.dataset.do]?.(target);
});
mount.addEventListener('change', (event) => {
  if (event.target.dataset.do) actions[event.target.dataset.do]?.(event.target);
  if (event.target.type === 'radio') event.target.form.querySelector('.other input').value = '';
  if (event.target.type === 'file') { send([...event.target.files]); event.target.value = ''; }
});
mount.addEventListener('submit', (event) => {
  event.preventDefault();
  actions[event.target.dataset.do]?.(event.target);
});
mount.addEventListener('input', (event) => {
  if (event.target.matches('.filter')) filter();
  if (event.target.matches('.other input'))
    for (const radio of event.target.form.querySelectorAll('input[type=radio]')) radio.checked = false;
});

function filter() {
  const wanted = mount.querySelector('.filter')?.value.trim().toLowerCase() || '';
  for (const row of mount.querySelectorAll('.document'))
    row.hidden = wanted !== '' && !row.querySelector('.name').textContent.toLowerCase().includes(wanted);
}

// ---- uploading files one after another; a refused file does not stop the others

const queue = [];
let busy = false;

function send(files) {
  queue.push(...files);
  if (!busy) sendNext();
}

async function sendNext() {
  busy = true;
  while (queue.length) {
    const file = queue.shift();
    const refused = await sendOne(file).catch(() => says('notSent', { name: file.name }));
    if (refused) notice(refused);
    trigger('act', { do: 'refresh' });
  }
  busy = false;
}

function says(key, values) {
  const words = mount.querySelector('.drop').dataset[key];
  return words.replace(/\{(\w+)\}/g, (all, name) => (name in values ? values[name] : all));
}

function sendOne(file) {
  const drop = mount.querySelector('.drop');
  if (file.size > +drop.dataset.limit)
    return Promise.resolve(says('tooLarge', { name: file.name, size: (file.size / 1e6).toFixed(1) }));
  const line = document.createElement('p');
  mount.querySelector('.sending').append(line);
  const show = (share) => {
    line.textContent = `${drop.dataset.sending} ${file.name} ${share}%${queue.length ? ` · +${queue.length}` : ''}`;
  };
  show(0);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', new URL('library/add', document.baseURI));
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.setRequestHeader('X-File-Name', encodeURIComponent(file.name.toWellFormed?.() ?? file.name));
    request.responseType = 'json';
    request.upload.onprogress = (event) => { if (event.total) show(Math.floor((event.loaded / event.total) * 100)); };
    request.onload = () => {
      if (request.response && 'refused' in request.response) resolve(request.response.refused);
      else reject(new Error(String(request.status)));
    };
    request.onerror = () => reject(new Error('network'));
    request.send(file);
  }).finally(() => line.remove());
}

function notice(text) {
  const list = mount.querySelector('.notices');
  const line = document.createElement('p');
  line.dir = 'auto';
  line.textContent = text;
  const away = document.createElement('button');
  away.type = 'button';
  away.className = 'icon';
  away.textContent = '✕';
  away.setAttribute('aria-label', list.dataset.dismiss);
  away.onclick = () => line.remove();
  line.append(away);
  list.append(line);
}

function dropsFiles() {
  const holdsFiles = (event) => [...(event.dataTransfer?.types || [])].includes('Files');
  let inside = 0;
  addEventListener('dragenter', (event) => { if (holdsFiles(event)) { inside += 1; document.body.classList.add('dropping'); } });
  addEventListener('dragleave', (event) => {
    if (holdsFiles(event) && (inside -= 1) <= 0) { inside = 0; document.body.classList.remove('dropping'); }
  });
  addEventListener('dragover', (event) => { if (holdsFiles(event)) event.preventDefault(); });
  addEventListener('drop', (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    inside = 0;
    document.body.classList.remove('dropping');
    send([...event.dataTransfer.files]);
  });
}

// ---- start

if (role === 'library') dropsFiles();
if (role === 'viewer') {
  addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !event.isComposing && document.body.dataset.viewer === 'open') actions.close();
  });
}
if (role === 'head') {
  let theme = null;
  try { theme = localStorage.getItem('ask-theme'); } catch { /* without storage the system's setting is used */ }
  if (theme) document.body.classList.toggle('dark', theme === 'dark');
  document.body.dataset.panel ||= 'talk';
  document.body.dataset.view ||= 'talk';
  const opened = () => mount.querySelector('details.choice[open]');
  addEventListener('click', (event) => {
    const details = opened();
    if (details && !details.contains(event.target) && event.target.isConnected) details.open = false;
  });
  mount.addEventListener('keydown', (event) => {
    const details = opened();
    if (event.key !== 'Escape' || !details) return;
    details.open = false;
    details.querySelector('summary').focus();
    event.stopPropagation(); // so that it does not close the viewer as well
  });
}
watch('value', draw);
draw();
