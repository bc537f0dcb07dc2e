// The conversation: follows questions, opens sources, asks again, rates, copies.

const talk = () => document.getElementById('talk-scroll');

// Asks again; the button is drawn no more then, so the focus goes where the next question is typed.
function again(what, button, more) {
  (narrow() ? talk() : document.querySelector('#question textarea')).focus({ preventScroll: true });
  trigger('again', { do: what, exchange: +button.dataset.exchange, ...more });
}

Object.assign(actions, {
  open(button) {
    const { exchange, number, sentence } = button.dataset;
    opening(button);
    trigger('act', { do: 'open', exchange: +exchange, number: +number, sentence: +sentence });
  },
  anyway(button) { again('anyway', button); },
  typed(button) { again('typed', button); },
  retry(button) { again('retry', button); },
  quotes(button) { again('quotes', button); },
  follow(button) { again('follow', button, { question: button.textContent }); },
  only(button) { again('only', button, { document: button.dataset.document }); },
  understood(form) {
    form.closest('details').open = false;
    again('understood', form, { question: form.querySelector('input').value });
  },
  edit(form) {
    form.closest('details').open = false;
    again('edit', form, { question: form.querySelector('textarea').value });
  },
  unedit(button) {
    const details = button.closest('details');
    button.form.reset();
    details.open = false;
    details.querySelector('summary').focus();
  },
  variant(button) {
    const { exchange } = button.dataset;
    talk().dataset.show = `turn-${exchange}`;
    talk().focus({ preventScroll: true });
    trigger('act', { do: 'variant', exchange: +exchange });
  },
  prompt(button) { trigger('act', { do: 'prompt', exchange: +button.dataset.exchange }); },
  rate(button) {
    const helpful = button.getAttribute('aria-pressed') === 'true' ? null : button.dataset.helpful === 'yes';
    trigger('act', { do: 'rate', exchange: +button.dataset.exchange, helpful });
  },
  reason(form) {
    trigger('act', { do: 'reason', exchange: +form.dataset.exchange, reason: form.querySelector('input').value });
    told(form.querySelector('button'));
  },
  copy(button) { copyText(button.dataset.text).then(() => told(button)); },
  explain(button) { explain(button); },
});

// Says for a moment beside a button that it did what it is for.
function told(button) {
  button.classList.add('done');
  setTimeout(() => button.classList.remove('done'), 1500);
}

// Shows what a mark means, below it; a click elsewhere or Escape hides it.
function explain(button) {
  const box = document.getElementById('hint');
  const at = button.getBoundingClientRect();
  box.textContent = button.dataset.hint;
  box.showPopover({ source: button });
  box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - box.offsetWidth - 8))}px`;
  const below = at.bottom + 6;
  box.style.top = `${below + box.offsetHeight < innerHeight ? below : at.top - box.offsetHeight - 6}px`;
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

// Text that is selected and copied has its citations as " [2]"; what is not part of the answer is left out.
mount.addEventListener('copy', (event) => {
  const selection = document.getSelection();
  if (!selection.rangeCount || !mount.contains(event.target) || ['INPUT', 'TEXTAREA'].includes(event.target.nodeName)) return;
  const copied = document.createElement('div');
  copied.className = 'unseen';
  copied.append(selection.getRangeAt(0).cloneContents());
  for (const cite of copied.querySelectorAll('.cite')) cite.replaceWith(` [${cite.dataset.number}]`);
  for (const other of copied.querySelectorAll('form, footer, svg, .no-source, .why-unsure, .unseen, [hidden]')) other.remove();
  for (const button of copied.querySelectorAll('button, summary')) button.replaceWith(button.textContent);
  document.body.append(copied);
  event.clipboardData.setData('text/plain', copied.innerText);
  event.clipboardData.setData('text/html', copied.innerHTML);
  copied.remove();
  event.preventDefault();
});

if (['conversation', 'earlier'].includes(role)) {
  addEventListener('click', (event) => {
    for (const menu of mount.querySelectorAll('.menu[open]'))
      if (!menu.contains(event.target) || event.target.closest('[data-do], a')) menu.open = false;
  });
  // Enter sends an edited question; Shift and Enter make a new line.
  mount.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || !('enter' in event.target.dataset)) return;
    event.preventDefault();
    event.target.form.requestSubmit();
  });
  mount.addEventListener('toggle', (event) => {
    const text = event.target.matches('.editing') && event.target.open && event.target.querySelector('textarea');
    if (!text) return;
    text.focus();
    text.setSelectionRange(text.value.length, text.value.length);
  }, true);
}

// ---- rows of a table that are wider than the conversation begin where the cell that answers is in sight

const widths = new WeakMap(); // of rows that were scrolled so, in CSS pixels
function showCells() {
  for (const rows of mount.querySelectorAll('.rows')) {
    if (widths.get(rows) === rows.clientWidth) continue;
    widths.set(rows, rows.clientWidth);
    const cell = rows.querySelector('td:has(mark)');
    if (cell) rows.scrollLeft = cell.offsetLeft + cell.offsetWidth - rows.clientWidth;
  }
}
if (['conversation', 'earlier'].includes(role)) {
  afterDrawing.push(showCells);
  new ResizeObserver(showCells).observe(mount);
}

// Turns that are not sent again because this page should have them, and that it has not.
if (role === 'earlier') {
  afterDrawing.push(() => {
    if (mount.querySelector('[data-same]')) trigger('act', { do: 'redraw' });
  });
}

// ---- scrolling: a new question goes to the top once, and nothing moves while its answer is written

if (role === 'conversation') {
  let last;
  talk().tabIndex = -1;
  afterDrawing.push((scroller) => {
    const key = mount.querySelector('.turn')?.dataset.key;
    const show = scroller.dataset.show || (key !== last && key);
    const calm = !last || scroller.dataset.show || matchMedia('(prefers-reduced-motion: reduce)').matches;
    last = key;
    delete scroller.dataset.show;
    if (show) requestAnimationFrame(() => scrollToTurn(scroller, show, calm ? 'instant' : 'smooth')); // when all parts are drawn
  });
}

function scrollToTurn(scroller, key, behavior) {
  const turn = scroller.querySelector(`[data-key="${key}"]`);
  if (!turn) return;
  const top = turn.getBoundingClientRect().top - scroller.getBoundingClientRect().top + scroller.scrollTop;
  scroller.scrollTo({ top: top - parseFloat(getComputedStyle(scroller).paddingTop), behavior });
  if (document.activeElement === scroller) turn.querySelector('.variants button:enabled')?.focus({ preventScroll: true });
}

// ---- the question box: the limit is told before it is reached, and an overlong text is kept

if (role === 'conversation') {
  const box = () => document.querySelector('#question textarea');
  let limit = Infinity;

  const counted = () => {
    const text = box(), drawn = mount.querySelector('[data-count]');
    if (!text || !drawn) return false;
    if (text.maxLength > 0) {
      limit = text.maxLength;
      text.removeAttribute('maxlength'); // it would cut off what is pasted without a word
    }
    const length = [...text.value.trim()].length, over = length > limit;
    let line = document.getElementById('question-length');
    if (!line) {
      line = document.createElement('p');
      line.id = 'question-length';
      line.setAttribute('role', 'status');
      document.getElementById('asking').append(line);
    }
    const words = drawn.dataset;
    const told = over ? words.over : length > 0.9 * limit ? words.count : '';
    line.textContent = told.replace('{n}', length.toLocaleString('en')).replace('{limit}', limit.toLocaleString('en'));
    line.classList.toggle('over', over);
    return over;
  };
  const held = (event) => {
    if (!counted()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    box().focus();
  };

  afterDrawing.push(counted);
  addEventListener('input', (event) => { if (event.target === box()) counted(); });
  addEventListener('click', (event) => { if (event.target.closest?.('#ask')) held(event); }, true);
  addEventListener('keydown', (event) => {
    if (event.target !== box() || event.isComposing) return;
    if (event.key === 'Enter' && !event.shiftKey) held(event);
    else if (event.key === 'ArrowUp' && !event.target.value) recall(event);
  }, true);

  function recall(event) {
    const asked = [...document.querySelectorAll('.turn .question')].at(-1);
    if (!asked) return;
    event.preventDefault();
    const text = event.target;
    text.value = asked.textContent;
    text.dispatchEvent(new Event('input', { bubbles: true }));
    text.setSelectionRange(text.value.length, text.value.length);
  }
}
