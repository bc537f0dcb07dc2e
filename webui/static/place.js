() => {
  // What the server needs to know of a page that was opened: its address, the time zone, and what was typed before a
  // reload. Called by Gradio before the first event, when no other script may have run.
  const id = /\/c\/([\w-]+)$/.exec(location.pathname)?.[1] || '';
  let draft = null;
  try { draft = sessionStorage.getItem(`ask-draft:${id}`); } catch { /* without storage the server's is used */ }
  return [JSON.stringify({ conversation: id, offset: -new Date().getTimezoneOffset(), draft })];
}
