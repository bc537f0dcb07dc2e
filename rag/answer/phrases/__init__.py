"""Short answers from running text: values, names, dates, phrases, lists, and yes or no."""
