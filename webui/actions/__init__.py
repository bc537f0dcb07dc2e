"""What a click does to a session: one module for each part of the page. Knows nothing of HTML or Gradio."""
