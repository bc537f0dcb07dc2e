// What sticks out of its panel, is cut off, or crosses something else. Each visible line of text and each control counts,
// as far as what it scrolls in lets it be seen.
() => {
  const visible = (e) => e.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })
    && !e.closest('.unseen, .sr-only, svg, .words, dialog');
  const name = (e) => `${e.tagName.toLowerCase()}.${e.className} “${(e.textContent || e.value || '').trim().slice(0, 40)}”`;

  function seen(within, { left, right, top, bottom }) {
    for (let around = within; around; around = around.parentElement) {
      if (getComputedStyle(around).overflowX === 'visible' || around.matches('html, body')) continue;
      const box = around.getBoundingClientRect();
      top = Math.max(top, box.top);
      bottom = Math.min(bottom, box.bottom);
      if (around.matches('.scrolls, .card')) continue; // what sticks out to the side of a panel is to be found
      left = Math.max(left, box.left);
      right = Math.min(right, box.right);
    }
    return right - left > 2 && bottom - top > 2 ? { left, right, top, bottom } : null;
  }

  function linesOf(e) {
    const texts = [...e.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    return texts.flatMap((node) => {
      const range = document.createRange();
      range.selectNodeContents(node);
      return [...range.getClientRects()];
    });
  }

  function isCutOff(e) {
    const { overflowX, textOverflow } = getComputedStyle(e);
    return overflowX === 'hidden' && textOverflow !== 'ellipsis' && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 2 && linesOf(e).length > 0;
  }

  function crossing(one, other) {
    if (one.e.contains(other.e) || other.e.contains(one.e)) return false;
    const width = Math.min(one.right, other.right) - Math.max(one.left, other.left);
    const height = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
    return width > 2 && height > 4; // lines of text may touch
  }

  const faults = new Set();
  for (const panel of document.querySelectorAll('#head, #library-panel, #talk-panel, #viewer-panel')) {
    if (!panel.checkVisibility()) continue;
    const { left, right } = panel.getBoundingClientRect(), pieces = [];
    for (const e of panel.querySelectorAll('*')) {
      if (!visible(e)) continue;
      const control = e.matches('button, input, select, textarea, summary, progress');
      for (const rect of control ? [e.getBoundingClientRect()] : linesOf(e)) {
        const box = seen(control ? e.parentElement : e, rect);
        if (!box) continue;
        if (box.left < left - 1 || box.right > right + 1) faults.add(`sticks out: ${name(e)}`);
        pieces.push({ e, ...box });
      }
      if (isCutOff(e)) faults.add(`cut off: ${name(e)}`);
    }
    for (const [n, one] of pieces.entries())
      for (const other of pieces.slice(n + 1))
        if (crossing(one, other)) faults.add(`cross: ${name(one.e)} and ${name(other.e)}`);
  }
  return [...faults];
}
