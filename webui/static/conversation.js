// The conversation: follows the answer while it is written, opens sources, asks again, copies.

Object.assign(actions, {
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
  copy(button) {
    const was = button.textContent;
    copyText(button.dataset.text).then(() => {
      button.textContent = button.dataset.done;
      setTimeout(() => { button.textContent = was; }, 1500);
    });
  },
});

if (role === 'conversation') {
  afterDrawing.push((scroller, before) => {
    if (scroller && (before.atEnd || mount.querySelector('.turn')?.dataset.key !== before.turn)) scroller.scrollTop = scroller.scrollHeight;
  });
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
