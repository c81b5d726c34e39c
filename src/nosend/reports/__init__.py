"""Files of other programs: `table` reads rows, `orders` whose an order is, `lists` whom another tool leaves alone."""
