// The library: filters and removes documents, uploads files.

Object.assign(actions, {
  choose(box) {
    const documents = box.range || [box.dataset.document];
    for (const row of rows()) {
      const tick = row.querySelector('[data-do=choose]');
      if (documents.includes(tick.dataset.document)) tick.checked = box.checked;
    }
    trigger('act', { do: 'choose', documents, chosen: box.checked });
  },
  'choose-all'() { chooseShown(true); },
  'choose-none'() { chooseShown(false); },
  'choose-only'(button) { trigger('act', { do: 'choose-only', document: button.dataset.document }); },
  'tag-scope'(button) { trigger('act', { do: 'tag-scope', tag: button.dataset.tag }); },
  'tag-chosen'(form) { tagged(form, { do: 'tag-chosen' }); },
  tag(form) { tagged(form, { do: 'tag', document: form.dataset.document }); },
  untag(button) { trigger('act', { do: 'untag', document: button.dataset.document, tag: button.dataset.tag }); },
  sample(button) {
    button.disabled = true;
    window.askInLibrary({ do: 'sample' });
  },
  suggested(button) {
    if (narrow()) panel('talk');
    trigger('suggest', { document: button.dataset.document, question: button.textContent });
  },
  refresh() { trigger('act', { do: 'refresh' }); },
  sort(select) {
    document.cookie = `sort=${select.value}; path=/; max-age=31536000; samesite=lax`;
    trigger('act', { do: 'sort', by: select.value });
  },
  into(select) { trigger('act', { do: 'into', collection: +select.value }); },
  move(select) { trigger('act', { do: 'move', document: select.dataset.document, collection: +select.value }); },
  details(button) { trigger('act', { do: 'details', document: button.dataset.document }); },
  page(button) {
    opening(button);
    trigger('act', { do: 'page', document: button.dataset.document, page: +button.dataset.page });
  },
  'cancel-all'() { trigger('act', { do: 'cancel-all' }); },
  'dismiss-failed'() { trigger('act', { do: 'dismiss-failed' }); },
  cancel(button) { trigger('act', { do: 'cancel', job: +button.dataset.job }); },
  remove(button) {
    const row = button.closest('.document');
    const next = row.nextElementSibling || row.previousElementSibling;
    (next?.querySelector('.remove') || next?.querySelector('.info') || mount.querySelector('.filter'))?.focus();
    trigger('act', { do: 'remove', document: button.dataset.document });
  },
  undo(button) {
    restored = button.dataset.documents.split(' ')[0];
    trigger('act', { do: 'undo' });
  },
  unlock(form) {
    const field = form.querySelector('input');
    trigger('act', { do: 'unlock', job: +form.dataset.job, password: field.value });
    field.value = '';
  },
});

function tagged(form, what) {
  const field = form.querySelector('input');
  trigger('act', { ...what, tag: field.value });
  field.value = '';
}

const rows = () => [...mount.querySelectorAll('.document')];
const shown = () => rows().filter((row) => !row.hidden).map((row) => row.querySelector('[data-do=choose]').dataset.document);
const wanted = () => mount.querySelector('.filter')?.value.trim().toLowerCase() || '';

// What the filter shows; without a filter all documents.
function chooseShown(chosen) {
  if (wanted()) trigger('act', { do: 'choose', documents: shown(), chosen });
  else trigger('act', { do: chosen ? 'choose-all' : 'choose-none' });
}

function filter() {
  const text = wanted();
  let found = 0;
  for (const row of rows()) {
    row.hidden = text !== '' && !row.querySelector('label > span').textContent.toLowerCase().includes(text);
    found += !row.hidden;
  }
  const line = mount.querySelector('.found');
  if (!line) return;
  const { none, some } = line.dataset;
  line.textContent = text === '' ? '' : found ? some.replace('{n}', found).replace('{all}', rows().length) : none;
}

// With Shift, all documents from the one ticked last to this one.
let ticked = null;
mount.addEventListener('click', (event) => {
  const box = event.target.closest('[data-do=choose]');
  if (!box) return;
  const between = shown();
  const [from, to] = [between.indexOf(ticked), between.indexOf(box.dataset.document)].sort((a, b) => a - b);
  box.range = event.shiftKey && from >= 0 ? between.slice(from, to + 1) : null;
  ticked = box.dataset.document;
});
// Otherwise Shift and a click select the text between them.
mount.addEventListener('mousedown', (event) => {
  if (event.shiftKey && event.target.closest('.document label')) event.preventDefault();
});

let restored = null; // id of the document that gets the focus when it is back
if (role === 'documents') {
  afterDrawing.push(() => {
    const list = mount.querySelector('.documents');
    if (list?.hasAttribute('data-base')) trigger('act', { do: 'relist' });
    filter();
    const row = restored && list?.querySelector(`[data-key="document-${restored}"]`);
    if (row) {
      row.querySelector('.remove').focus();
      restored = null;
    }
  });
}
mount.addEventListener('input', (event) => { if (event.target.matches('.filter')) filter(); });
mount.addEventListener('change', (event) => {
  if (event.target.type !== 'file') return;
  window.askUpload([...event.target.files], event.target.dataset.replaces);
  event.target.value = '';
});

// ---- uploading files one after another; a refused file does not stop the others

const FOLDED = 4;
const queue = [];
let busy = false;

// `replaces`: id of the document that the file is a new version of.
function send(files, replaces = '') {
  const collection = mount.querySelector('[data-do=into]')?.value || '0';
  queue.push(...files.map((file) => ({ file, replaces, collection })));
  if (!busy) sendNext();
}

async function sendNext() {
  busy = true;
  while (queue.length) {
    const { file, replaces, collection } = queue.shift();
    const refused = await sendOne(file, replaces, collection).catch(() => says('notSent', { name: file.name }));
    if (refused) notice(refused);
    trigger('act', { do: 'refresh' });
  }
  busy = false;
}

function says(key, values) {
  const words = mount.querySelector('.drop').dataset[key];
  return words.replace(/\{(\w+)\}/g, (all, name) => (name in values ? values[name] : all));
}

function sendOne(file, replaces, collection) {
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
    if (replaces) request.setRequestHeader('X-Replaces', replaces);
    request.setRequestHeader('X-Collection', collection);
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
  away.setAttribute('aria-label', `${list.dataset.dismiss}: ${text}`);
  away.onclick = () => { line.remove(); count(list); };
  line.append(away);
  list.append(line);
  count(list);
}

// From FOLDED notices on, a line above them counts them and dismisses all, and the list scrolls.
function count(list) {
  const n = list.querySelectorAll('p').length;
  list.querySelector('.row')?.remove();
  list.classList.toggle('many', n >= FOLDED);
  if (n < FOLDED) return;
  const row = document.createElement('div'), words = document.createElement('b'), all = document.createElement('button');
  row.className = 'row';
  words.textContent = list.dataset.many.replace('{n}', n);
  all.type = 'button';
  all.className = 'quiet';
  all.textContent = list.dataset.all;
  all.onclick = () => { list.replaceChildren(); count(list); mount.querySelector('.drop input').focus(); };
  row.append(words, all);
  list.prepend(row);
}

// The files of a drop. Of a folder, these are the PDFs in it and in the folders below.
async function filesOf(transfer) {
  const files = [...transfer.files]; // both lists are empty once this function waits
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return files;
  const dropped = [];
  for (const entry of entries) {
    const held = await filesIn(entry);
    if (!held.length) notice(says('noPdfs', { name: entry.name }));
    dropped.push(...held);
  }
  return dropped;
}

const promised = (ask) => new Promise(ask); // of a function that takes what to call with the result, and with an error

async function filesIn(entry) {
  if (entry.isFile) return [await promised((done, failed) => entry.file(done, failed))];
  const reader = entry.createReader(), held = [], files = [];
  for (let some = [null]; some.length;) { // a folder is read in parts
    some = await promised((done, failed) => reader.readEntries(done, failed));
    held.push(...some);
  }
  held.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
  for (const inside of held)
    if (inside.isDirectory || /\.pdf$/i.test(inside.name)) files.push(...await filesIn(inside));
  return files;
}

function dropsFiles() {
  // Without the drop zone this person may not add files; then a file that is dropped must not replace the page either.
  const adds = () => mount.querySelector('.drop') !== null;
  const holdsFiles = (event) => [...(event.dataTransfer?.types || [])].includes('Files');
  let inside = 0;
  addEventListener('dragenter', (event) => { if (holdsFiles(event) && adds()) { inside += 1; document.body.classList.add('dropping'); } });
  addEventListener('dragleave', (event) => {
    if (holdsFiles(event) && (inside -= 1) <= 0) { inside = 0; document.body.classList.remove('dropping'); }
  });
  addEventListener('dragover', (event) => { if (holdsFiles(event)) event.preventDefault(); });
  addEventListener('drop', (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    inside = 0;
    document.body.classList.remove('dropping');
    if (adds()) filesOf(event.dataTransfer).then(send);
  });
}

if (role === 'library') {
  dropsFiles();
  window.askUpload = send;
  window.askInLibrary = (what) => trigger('act', what);
}

// ---- sources whose document is gone: their buttons say so

function labelGone() {
  const words = document.querySelector('#documents .gone-words')?.dataset;
  if (!words) return;
  const there = new Set([...document.querySelectorAll('#documents .document')].map((row) => row.dataset.key.slice('document-'.length)));
  const replaced = new Set(words.replaced.split(' '));
  for (const chip of document.querySelectorAll('.chip[data-document]')) {
    const { document: id } = chip.dataset;
    if (there.has(id)) chip.removeAttribute('data-gone');
    else chip.dataset.gone = replaced.has(id) ? words.replacedWord : words.removedWord;
  }
}

if (['documents', 'earlier', 'conversation'].includes(role)) afterDrawing.push(labelGone);
