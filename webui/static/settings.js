// The settings: each is sent as soon as it is changed.

const settingsDialog = () => document.getElementById('settings');
let settingsDue = false; // whether the fields show what the server draws: nobody has changed any since
let settingSent = false; // whether something was changed since the dialog was opened

function sendSetting(name, value) {
  settingsDue = false;
  settingSent = true;
  settingsDialog().querySelector('.saved').textContent = '';
  trigger('act', { do: 'setting', name, value });
}

// Shows what the server drew last, which does not overwrite what somebody is changing.
function showSettings() {
  settingsDialog().querySelector('form').reset();
  for (const box of settingsDialog().querySelectorAll('[data-on] input')) box.checked = box.parentElement.dataset.on === 'true';
}

Object.assign(actions, {
  settings() {
    const dialog = settingsDialog();
    if (dialog.open) return dialog.close();
    showSettings();
    dialog.querySelector('.saved').textContent = '';
    dialog.showModal();
    settingsDue = true; // another page may have changed them
    settingSent = false;
    trigger('act', { do: 'settings' });
  },
  'default-instruction'(button) {
    const field = button.parentElement.querySelector('textarea');
    field.value = button.dataset.default;
    field.focus();
    sendSetting(field.name, '');
  },
  'default-settings'() {
    settingsDue = settingSent = true;
    trigger('act', { do: 'default-settings' });
  },
});

if (role === 'head') {
  mount.addEventListener('change', (event) => {
    const field = event.target;
    if (field.closest('#settings')) sendSetting(field.name, field.type === 'checkbox' ? field.checked : field.value);
  });
  mount.addEventListener('input', (event) => { if (event.target.closest('#settings')) settingsDue = false; });
  mount.addEventListener('keydown', (event) => { // Escape must not lose what was typed and not left yet
    if (event.key === 'Escape' && event.target.matches('#settings textarea')) event.target.blur();
  });
  afterDrawing.push(() => {
    const dialog = settingsDialog();
    if (settingsDue) showSettings();
    const told = dialog?.querySelector('.saved');
    if (told && settingSent) told.textContent = dialog.querySelector('.refused') ? '' : told.dataset.saved;
  });
}
