// The box for a condition, which offers names and values while one types.

import { useEffect, useRef, useState } from 'preact/hooks'
import { functions, names, quoteName } from './expr'
import { cut } from './format'
import { condition, store, where } from './state'

export function focusFilter(): void {
  const box = document.getElementById('filter') as HTMLInputElement | null
  box?.focus({ preventScroll: true })
  box?.select()
}

const most = 9

// offers are the words that could stand where the caret is, with the place they
// would take.
function offers(text: string, caret: number): { from: number; words: string[] } {
  const { columns } = store.view
  const before = text.slice(0, caret)
  const word = /(`[^`]*|[\p{L}_][\p{L}\p{Nd}_.[\]]*|)$/u.exec(before)![0]
  const from = caret - word.length
  // The values of a category that the word is compared with.
  const name = /(`[^`]+`|[\p{L}_][\p{L}\p{Nd}_.[\]]*)\s*(?:[!=]=|(?:not\s+)?in\s*\[[^\]]*)\s*$/u.exec(before.slice(0, from))?.[1]
  const plain = name?.replaceAll('`', '')
  const compared = columns.find((c) => c.name === plain || c.static === plain)
  const quote = (v: unknown) => (/^[\p{L}_][\p{L}\p{Nd}_]*$/u.test(String(v)) ? String(v) : `'${String(v).replace(/[\\']/g, '\\$&')}'`)
  let all: string[] = []
  if (compared) all = compared.kind === 'number' ? [] : (compared.values ?? []).slice(0, 200).map(quote)
  else if (word) all = [...names(columns).map(quoteName), ...functions.map((f) => f + '('), 'and', 'or', 'not', 'in [']
  const low = word.toLowerCase().replace('`', '')
  // Those that begin with it come first; one letter within says too little.
  const where = (w: string) => w.toLowerCase().replace('`', '').indexOf(low)
  const fits = all.filter((w) => w !== word && w.length < 200 && (low.length < 2 ? where(w) === 0 : where(w) >= 0))
  return { from, words: fits.sort((a, b) => Math.sign(where(a)) - Math.sign(where(b))).slice(0, most) }
}

export function Filter() {
  const [text, setText] = useState(where.value)
  const [open, setOpen] = useState(false)
  const [at, setAt] = useState(-1)
  const [caret, setCaret] = useState(0)
  const box = useRef<HTMLInputElement>(null)
  const timer = useRef(0)
  const committed = where.value
  useEffect(() => {
    // Cleared elsewhere, or another address.
    clearTimeout(timer.current)
    if (document.activeElement !== box.current || !committed) setText(committed)
  }, [committed])
  const set = (next: string, now = false) => {
    setText(next)
    clearTimeout(timer.current)
    timer.current = window.setTimeout(() => (where.value = next), now ? 0 : 200)
  }
  const { from, words } = open ? offers(text, caret) : { from: 0, words: [] }
  const take = (w: string) => {
    const next = text.slice(0, from) + w + text.slice(caret)
    set(next)
    setOpen(false)
    setAt(-1)
    requestAnimationFrame(() => {
      box.current?.focus()
      box.current?.setSelectionRange(from + w.length, from + w.length)
    })
  }
  const key = (e: KeyboardEvent) => {
    if (words.length && (e.key === 'ArrowDown' || e.key === 'ArrowUp')) {
      setAt((at + (e.key === 'ArrowDown' ? 1 : -1) + words.length + 1) % (words.length + 1))
    } else if (words.length && (e.key === 'Tab' ? !e.shiftKey && text : e.key === 'Enter' && at >= 0)) take(words[Math.max(at, 0) % words.length])
    else if (e.key === 'Enter') {
      setOpen(false)
      set(text, true)
    } else if (e.key === 'Escape' && words.length) setOpen(false)
    else if (e.key === 'Escape' && text) set('', true)
    else if (e.key === 'Escape') box.current?.blur()
    else return
    e.preventDefault()
    e.stopPropagation()
  }
  const c = condition.value
  const wrong = c.error && text === committed
  return (
    <div class="filter">
      <input
        ref={box}
        id="filter"
        type="text"
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
        onInput={(e) => {
          setCaret(e.currentTarget.selectionStart ?? 0)
          setOpen(true)
          setAt(-1)
          set(e.currentTarget.value)
        }}
        onKeyDown={key}
        onBlur={() => setOpen(false)}
      />
      {words.length > 0 && (
        <ul id="offers" role="listbox" class="offers">
          {words.map((w, i) => (
            <li
              key={w}
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
      {wrong && !words.length && (
        <div class="offers wrong" role="alert">
          <code>
            {cut(text.slice(Math.max(0, c.at! - 40), c.at), 41)}
            <mark>{text[c.at!] ?? ' '}</mark>
            {text.slice(c.at! + 1, c.at! + 40)}
          </code>
          <p>{cut(c.error!, 400)}</p>
        </div>
      )}
    </div>
  )
}
