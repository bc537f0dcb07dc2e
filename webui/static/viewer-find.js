// Find in the document: the server says on which pages the text stands, and where on the page that is shown.

let finding = null; // {document, text, pages: [[page, count]…], total, at: number of the hit that is looked at}
let typed = 0;

Object.assign(actions, {
  find() { openFind(); },
  'find-next'() { step(1); },
  'find-previous'() { step(-1); },
  'find-close'() { closeFind(); part('.desk')?.focus({ preventScroll: true }); },
});

function openFind() {
  element.classList.add('finding');
  const box = part('.find-text');
  box.focus();
  box.select();
  if (box.value.trim()) search(box.value);
}

// Whether there was something to close.
function closeFind() {
  if (!element.classList.contains('finding')) return false;
  element.classList.remove('finding');
  finding = null;
  part('.hits')?.replaceChildren();
  return true;
}

async function search(text) {
  const { document: id, page, pages } = shownPage();
  if (!text.trim()) {
    finding = null;
    part('.hits').replaceChildren();
    part('.find .count').textContent = '';
    return;
  }
  const asked = finding = { document: id, text, pages: [], total: 0, at: -1 };
  const found = await answered(`document/${id}/find?${new URLSearchParams({ text })}`).then((response) => response.json(), () => null);
  if (finding !== asked || !found) return;
  asked.pages = found.pages;
  asked.total = found.pages.reduce((sum, [, count]) => sum + count, 0);
  asked.searched = found.searched < pages ? found.searched : null;
  // Begin on the page that is shown, or on the next one that has a hit.
  asked.at = 0;
  for (const [one, count] of found.pages) {
    if (one >= page) break;
    asked.at += count;
  }
  if (asked.at >= asked.total) asked.at = 0;
  look();
}

function step(by) {
  const box = part('.find-text');
  if (finding?.text !== box.value || finding.document !== shownPage().document) {
    clearTimeout(typed);
    return search(box.value);
  }
  if (!finding.total) return undefined;
  finding.at = (finding.at + by + finding.total) % finding.total;
  return look();
}

// The page of the hit that is looked at, and which of the page's hits it is.
function place() {
  let left = finding.at;
  for (const [page, count] of finding.pages) {
    if (left < count) return { page, number: left };
    left -= count;
  }
  return null;
}

function look() {
  const count = part('.find .count');
  const part_ = finding.searched ? ` ${count.dataset.part.replace('{pages}', finding.searched)}` : '';
  count.textContent = (finding.total ? `${finding.at + 1} / ${finding.total}` : count.dataset.none) + part_;
  count.classList.toggle('none', !finding.total);
  const at = place();
  if (at && at.page !== shownPage().page) turnTo(at.page);
  else drawHits(true);
}

// Marks the hits on the page that is shown; `scroll` also where only another hit is looked at.
async function drawHits(scroll = false) {
  const asked = finding, now = sheet;
  if (!asked || !now || asked.document !== now.document) return part('.hits')?.replaceChildren();
  const path = `document/${now.document}/page/${now.page}/hits?${new URLSearchParams({ text: asked.text })}`;
  const listed = asked.pages.some(([page]) => page === now.page);
  const hits = listed ? await kept(path, async () => (await answered(path)).json()).catch(() => []) : [];
  if (finding !== asked || sheet !== now) return undefined;
  const at = place();
  const current = at?.page === now.page ? at.number : -1;
  const boxes = hits.flatMap((lines, number) => lines.map((box) => hitBox(box, number === current)));
  const moved = `${now.key}|${asked.text}|${asked.at}`;
  part('.hits').replaceChildren(...boxes);
  const mark = part('.hits .current');
  if (mark && (scroll || moved !== asked.moved)) scrollToBox(mark, 0.35);
  asked.moved = moved;
  return undefined;
}

function hitBox([left, top, right, bottom], current) {
  const box = document.createElement('span');
  box.className = current ? 'hit current' : 'hit';
  Object.assign(box.style, { left: `${left * 100}%`, top: `${top * 100}%`, width: `${(right - left) * 100}%`, height: `${(bottom - top) * 100}%` });
  return box;
}

if (role === 'viewer') {
  mount.addEventListener('input', (event) => {
    if (!event.target.matches('.find-text')) return;
    clearTimeout(typed);
    typed = setTimeout(() => search(event.target.value), 200);
  });
  mount.addEventListener('keydown', (event) => {
    if (event.target.matches('.find-text') && event.key === 'Enter' && event.shiftKey) {
      event.preventDefault();
      step(-1);
    }
  });
}
