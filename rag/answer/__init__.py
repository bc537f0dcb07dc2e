"""Sources -> prompt context, evidence, quoted answers, citations, and the page behind a citation."""
