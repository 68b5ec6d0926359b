// The box for a condition, which offers names while one types.

import { useEffect, useRef, useState } from 'preact/hooks'
import { functions, names, quoteName } from './expr'
import { cut } from './format'
import { condition, store, where } from './state'

const most = 9

// offers are the names that could stand where the caret is, with the place they
// would take. Those that begin like the word come first; one letter within says
// too little.
function offers(before: string): { from: number; words: string[] } {
  const word = /(`[^`]*|[\p{L}_][\p{L}\p{Nd}_.[\]]*|)$/u.exec(before)![0]
  const low = word.toLowerCase().replace('`', '')
  const where = (w: string) => w.toLowerCase().replace('`', '').indexOf(low)
  const all = [...names(store.view.columns).map(quoteName), ...functions.map((f) => f + '(')]
  const fits = all.filter((w) => low && w !== word && w.length < 200 && (low.length < 2 ? where(w) === 0 : where(w) >= 0))
  return { from: before.length - word.length, words: fits.sort((a, b) => Math.sign(where(a)) - Math.sign(where(b))).slice(0, most) }
}

export function Filter() {
  const [text, setText] = useState(where.value)
  const [before, setBefore] = useState('') // the text up to the caret while names are offered
  const [at, setAt] = useState(-1)
  const box = useRef<HTMLInputElement>(null)
  const timer = useRef(0)
  const committed = where.value
  useEffect(() => {
    // Cleared elsewhere, or another address.
    clearTimeout(timer.current)
    if (document.activeElement !== box.current || !committed) setText(committed)
  }, [committed])
  const set = (next: string, wait = 0, before = '') => {
    setText(next)
    setBefore(before)
    setAt(-1)
    clearTimeout(timer.current)
    timer.current = window.setTimeout(() => (where.value = next), wait)
  }
  const { from, words } = offers(before)
  const take = (w: string) => {
    set(text.slice(0, from) + w + text.slice(before.length), 200)
    requestAnimationFrame(() => {
      box.current?.focus()
      box.current?.setSelectionRange(from + w.length, from + w.length)
    })
  }
  const key = (e: KeyboardEvent) => {
    const by = Number(e.key === 'ArrowDown') - Number(e.key === 'ArrowUp')
    if (by && words.length) setAt(((at + by + words.length + 2) % (words.length + 1)) - 1)
    else if (words.length && (e.key === 'Tab' ? !e.shiftKey : e.key === 'Enter' && at >= 0)) take(words[Math.max(at, 0) % words.length])
    else if (e.key === 'Enter') set(text)
    else if (e.key === 'Escape') {
      if (words.length) setBefore('')
      else if (text) set('')
      else box.current!.blur()
    } else return
    e.preventDefault()
    e.stopPropagation()
  }
  const c = condition.value
  const wrong = c.error && text === committed && !words.length
  return (
    <div class="filter">
      <input
        ref={box}
        id="filter"
        value={text}
        placeholder="filter: a condition, such as state == complete"
        aria-label="filter by a condition"
        aria-invalid={wrong ? 'true' : undefined}
        role="combobox"
        aria-expanded={words.length > 0}
        aria-controls="offers"
        aria-activedescendant={at >= 0 ? 'offer-' + at : undefined}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        onInput={(e) => set(e.currentTarget.value, 200, e.currentTarget.value.slice(0, e.currentTarget.selectionStart ?? 0))}
        onKeyDown={key}
        onBlur={() => setBefore('')}
      />
      {words.length > 0 && (
        <ul id="offers" role="listbox" class="offers">
          {words.map((w, i) => (
            <li
              id={'offer-' + i}
              role="option"
              aria-selected={i === at}
              onPointerDown={(e) => {
                e.preventDefault()
                take(w)
              }}
            >
              {cut(w, 60)}
            </li>
          ))}
        </ul>
      )}
      {wrong && (
        <div class="offers wrong" role="alert">
          <code>
            {text.slice(Math.max(0, c.at! - 40), c.at)}
            <mark>{text[c.at!] ?? ' '}</mark>
            {text.slice(c.at! + 1, c.at! + 40)}
          </code>
          <p>{cut(c.error!, 400)}</p>
        </div>
      )}
    </div>
  )
}
