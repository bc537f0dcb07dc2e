// A list marked with data-roving is one stop of the Tab key: the arrows, Home and End go from one of its buttons to the next.

const entriesOf = (list) => [...list.querySelectorAll('button')];

function makeStop(list, entry) {
  for (const one of entriesOf(list)) one.tabIndex = one === entry ? 0 : -1;
}

// The index that a key leads to from index `at`, also in a list of several rows; undefined for other keys.
function reached(entries, at, key) {
  const { offsetTop, offsetHeight } = entries[0];
  const columns = entries.findLastIndex((entry) => entry.offsetTop < offsetTop + offsetHeight / 2) + 1;
  return { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns, Home: 0, End: entries.length - 1 }[key];
}

mount.addEventListener('keydown', (event) => {
  const list = event.target.closest('[data-roving]');
  if (!list || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const entries = entriesOf(list), next = reached(entries, entries.indexOf(event.target), event.key);
  if (next === undefined) return;
  event.preventDefault();
  entries[next]?.focus();
});
mount.addEventListener('focusin', (event) => {
  const list = event.target.closest('[data-roving]');
  if (list && event.target !== list) makeStop(list, event.target);
});
afterDrawing.push(() => { // the server draws the first entry as the stop
  const entry = mount.querySelector('[data-roving] button:focus');
  if (entry) makeStop(entry.closest('[data-roving]'), entry);
});
