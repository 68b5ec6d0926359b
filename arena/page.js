(() => {
  const root = document.documentElement
  const theme = document.getElementById('theme')
  theme.hidden = false
  theme.addEventListener('click', () => {
    const dark = getComputedStyle(root).colorScheme === 'dark'
    root.dataset.theme = dark ? 'light' : 'dark'
  })
  // Pointing at a searcher picks it out everywhere; a click holds it.
  let held = null
  const show = (s) => (s === null ? delete document.body.dataset.focus : (document.body.dataset.focus = s))
  const chips = [...document.querySelectorAll('[data-s]')]
  for (const c of chips) {
    c.addEventListener('mouseenter', () => show(c.dataset.s))
    c.addEventListener('mouseleave', () => show(held))
    if (c.tagName !== 'BUTTON') continue
    c.addEventListener('focus', () => show(c.dataset.s))
    c.addEventListener('blur', () => show(held))
    c.addEventListener('click', () => {
      held = held === c.dataset.s ? null : c.dataset.s
      for (const o of chips) if (o.tagName === 'BUTTON') o.setAttribute('aria-pressed', String(o.dataset.s === held))
      show(held)
    })
  }
  document.addEventListener('keydown', (e) => {
    if (e.key !== 'Escape') return
    held = null
    for (const o of chips) if (o.tagName === 'BUTTON') o.setAttribute('aria-pressed', 'false')
    show(null)
  })
  addEventListener('beforeprint', () => {
    for (const d of document.querySelectorAll('details')) d.open = true
  })
})()
