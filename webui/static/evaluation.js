// The Evaluate view: saved questions and their runs.

Object.assign(actions, {
  view(button) { view(button.dataset.view); trigger('act', { do: 'view', view: button.dataset.view }); },
  show(button) { opening(button); trigger('act', { do: 'show', ...questionOf(button) }); },
  unmark(button) { trigger('act', { do: 'unmark', ...questionOf(button) }); },
  forget(button) { confirmed(button, () => trigger('act', { do: 'forget', ...questionOf(button) })); },
  'forget-run'(button) { confirmed(button, () => trigger('act', { do: 'forget-run', run: +button.dataset.run })); },
  'forget-rating'(button) { confirmed(button, () => trigger('act', { do: 'forget-rating', rating: +button.dataset.rating })); },
  run(button) { button.disabled = true; trigger('act', { do: 'run' }); },
  'stop-run'() { trigger('act', { do: 'stop-run' }); },
  line(button) { trigger('act', { do: 'line', line: +button.dataset.line || button.dataset.line }); },
  against(select) { trigger('act', { do: 'against', run: +select.value }); },
  'set-variant'(select) { trigger('act', { do: 'set-variant', side: +select.dataset.side, name: select.name, value: select.value }); },
  compare(button) { button.disabled = true; trigger('act', { do: 'compare' }); },
  resume(button) { button.disabled = true; trigger('act', { do: 'resume', experiment: +button.dataset.experiment }); },
  experiment(select) { trigger('act', { do: 'experiment', experiment: +select.value }); },
  'forget-experiment'(button) { confirmed(button, () => trigger('act', { do: 'forget-experiment', experiment: +button.dataset.experiment })); },
  k(select) { trigger('act', { do: 'k', k: +select.value }); },
  'save-rating'(button) { button.disabled = true; trigger('act', { do: 'save-rating', rating: +button.dataset.rating }); },
  'imported-seen'() { trigger('act', { do: 'imported-seen' }); },
  'expect-given'(button) {
    const input = button.closest('.expected').querySelector('input');
    input.value = button.dataset.given;
    expect(input);
  },
  import(button) { button.nextElementSibling.click(); },
  'import-file'(input) {
    const [file] = input.files;
    if (!file) return;
    input.value = ''; // so that the same file can be chosen again
    if (file.size > +input.dataset.limit) return trigger('act', { do: 'import', size: file.size });
    const reader = new FileReader();
    reader.onload = () => trigger('act', { do: 'import', data: reader.result.split(',')[1] || '' });
    reader.readAsDataURL(file);
  },
  export(button) {
    const { file, text } = button.dataset;
    const start = file.endsWith('.csv') ? '\ufeff' : ''; // tells spreadsheets that it is UTF-8
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([start, text], { type: file.endsWith('.csv') ? 'text/csv' : 'application/jsonl' }));
    link.download = file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  },
});

// An expected answer is saved when its field is left, or with Enter.
mount.addEventListener('change', (event) => { if (event.target.matches('.expected input')) expect(event.target); });

function expect(input) {
  trigger('act', { do: 'expect', question: +input.dataset.question, answer: input.value });
}

// The saved question that a button belongs to, and the correct page if it names one.
function questionOf(button) {
  const { question, document: id, page } = button.dataset;
  return { question: +question, ...(id ? { document: id, page: +page } : {}) };
}

