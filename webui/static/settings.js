// The settings: each is sent as soon as it is changed.

const settingsDialog = () => document.getElementById('settings');
let settingsDue = false; // whether the fields are to show what the server draws next
let settingSent = false; // whether a change waits for its answer

function sendSetting(name, value) {
  settingsDue = false;
  settingSent = true;
  settingsDialog().querySelector('.saved').textContent = '';
  trigger('act', { do: 'setting', name, value });
}

Object.assign(actions, {
  settings() {
    const dialog = settingsDialog();
    if (dialog.open) return dialog.close();
    dialog.querySelector('form').reset();
    dialog.querySelector('.saved').textContent = '';
    dialog.showModal();
    settingsDue = true; // another page may have changed them
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
  mount.addEventListener('keydown', (event) => { // Escape must not lose what was typed and not left yet
    if (event.key === 'Escape' && event.target.matches('#settings textarea')) event.target.blur();
  });
  afterDrawing.push(() => {
    const dialog = settingsDialog();
    if (settingsDue) dialog.querySelector('form').reset();
    if (settingSent && !dialog.querySelector('.refused')) {
      const told = dialog.querySelector('.saved');
      told.textContent = told.dataset.saved;
    }
    settingsDue = settingSent = false;
  });
}
