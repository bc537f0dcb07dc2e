// The head of the page: language, theme, the model picker, and the panels of narrow screens.

Object.assign(actions, {
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
  recommended(button) {
    button.disabled = true;
    trigger('act', { do: 'pick', model: button.dataset.model, precision: button.dataset.precision });
  },
  download(button) { trigger('act', { do: 'download', action: button.dataset.action }); },
  'test-server'(form) {
    element.classList.add('opening');
    trigger('act', { do: 'test-server', ...serverOf(form) });
  },
  connect(button) {
    element.classList.add('opening');
    trigger('act', { do: 'connect', ...serverOf(button.form), model: button.form.elements.model.value });
  },
  disconnect() { trigger('act', { do: 'disconnect' }); },
  panel(button) {
    panel(button.dataset.panel);
    const { view: wanted } = button.dataset; // the tabs, which narrow screens have here
    if (wanted && wanted !== document.body.dataset.view) document.querySelector(`.tabs [data-view=${wanted}]`)?.click();
  },
});

function serverOf(form) {
  return { server: form.elements.server.value, key: form.elements.key.value };
}

// Of the models listed and the one named, the last that was touched counts.
mount.addEventListener('change', (event) => {
  if (event.target.type === 'radio') event.target.form.querySelector('.other input').value = '';
});
mount.addEventListener('input', (event) => {
  if (event.target.matches('.other input'))
    for (const radio of event.target.form.querySelectorAll('input[type=radio]')) radio.checked = false;
});

if (role === 'head') {
  afterDrawing.push(() => {
    document.documentElement.lang = mount.querySelector('[data-do=language]')?.lang === 'en' ? 'zh-CN' : 'en';
  });
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
