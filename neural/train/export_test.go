package train

// AddHandlers gives the test program's workers more to do.
func AddHandlers(h Handlers) { moreHandlers = h }
