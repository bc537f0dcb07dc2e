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
  k(select) { trigger('act', { do: 'k', k: +select.value }); },
  export(button) {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([button.dataset.text], { type: 'application/jsonl' }));
    link.download = 'questions.jsonl';
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  },
});

// The saved question that a button belongs to, and the correct page if it names one.
function questionOf(button) {
  const { question, document: id, page } = button.dataset;
  return { question: +question, ...(id ? { document: id, page: +page } : {}) };
}

