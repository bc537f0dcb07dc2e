// The library: filters and removes documents, uploads files.

Object.assign(actions, {
  choose(box) { trigger('act', { do: 'choose', document: box.dataset.document, chosen: box.checked }); },
  'choose-all'() { trigger('act', { do: 'choose-all' }); },
  refresh() { trigger('act', { do: 'refresh' }); },
  'choose-none'() { trigger('act', { do: 'choose-none' }); },
  details(button) { trigger('act', { do: 'details', document: button.dataset.document }); },
  cancel(button) { trigger('act', { do: 'cancel', job: +button.dataset.job }); },
  remove(button) {
    confirmed(button, () => trigger('act', { do: 'remove', document: button.dataset.document }));
  },
  unlock(form) {
    const field = form.querySelector('input');
    trigger('act', { do: 'unlock', job: +form.dataset.job, password: field.value });
    field.value = '';
  },
});

function filter() {
  const wanted = mount.querySelector('.filter')?.value.trim().toLowerCase() || '';
  for (const row of mount.querySelectorAll('.document'))
    row.hidden = wanted !== '' && !row.querySelector('.name').textContent.toLowerCase().includes(wanted);
}

afterDrawing.push(filter);
mount.addEventListener('input', (event) => { if (event.target.matches('.filter')) filter(); });
mount.addEventListener('change', (event) => {
  if (event.target.type === 'file') { send([...event.target.files]); event.target.value = ''; }
});

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

if (role === 'library') dropsFiles();
