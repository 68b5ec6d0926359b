// The page: what was found, whether to believe it, what to try next, and then
// everything down to a single design.

import { options, type ComponentType } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { Copy, quoted } from './bits'
import { Detail } from './detail'
import { Designs } from './designs'
import { Filter, focusFilter } from './filter'
import { quoteName } from './expr'
import { cut, exact, moment, number, title, value } from './format'
import { Fronts } from './fronts'
import { How } from './how'
import { brush, brushes, choices, clear, condition, mask, picks, store, where } from './state'
import { Summary } from './summary'
import { repaint, theme } from './theme'
import { Trials } from './trials'
import { Why } from './why'
import './page.css'

interface Section {
  id: string
  name: string
  lead?: string
  is: ComponentType
  own?: boolean
}

// Why, How and Designs bring their own frame.
const sections: Section[] = [
  { id: 'summary', name: 'Summary', is: Summary },
  { id: 'fronts', name: 'Fronts', lead: 'What can be had, and at what price.', is: Fronts },
  { id: 'why', name: 'Why', is: Why, own: true },
  { id: 'how', name: 'How', is: How, own: true },
  { id: 'designs', name: 'Designs', is: Designs, own: true },
  { id: 'trials', name: 'Trials', lead: 'Everything that was tried.', is: Trials },
]

export function Page() {
  // The summary is painted first; the sections below follow one by one.
  const [mounted, mount] = useState(1)
  useEffect(() => {
    if (mounted >= sections.length) return
    let timer = 0
    const frame = requestAnimationFrame(() => (timer = window.setTimeout(() => mount(mounted + 1))))
    return () => {
      cancelAnimationFrame(frame)
      clearTimeout(timer)
    }
  }, [mounted])
  usePrint(() => mount(sections.length))
  useKeys()
  return (
    <>
      <Bar />
      <main>
        {sections.map((s, i) =>
          s.own ? (
            i < mounted && <s.is key={s.id} />
          ) : (
            <section key={s.id} id={s.id} class={i ? 'part' : undefined} aria-label={s.name}>
              {i > 0 && <h2>{s.name}</h2>}
              {s.lead && <p class="lead">{s.lead}</p>}
              {i < mounted && <s.is />}
            </section>
          ),
        )}
        <footer class="note">
          Made {moment(store.view.made)} by Daedalus {store.view.engine}; the study ran with {store.view.study.engine || 'an unknown version'},
          seed {store.view.study.seed}.
        </footer>
      </main>
      <Detail />
      <Help />
    </>
  )
}

// Bar stays at the top: where one is, the filter, and what is selected.
function Bar() {
  const at = useSpy()
  const themes = { auto: 'light', light: 'dark', dark: 'auto' } as const
  return (
    <header class="top screen">
      <div class="row">
        <button type="button" class="plain name" title={cut(store.view.study.name, 500)} onClick={() => scrollTo(0, 0)}>
          {cut(store.view.study.name, 60)}
        </button>
        <nav aria-label="sections">
          {sections.slice(1).map((s) => (
            <button key={s.id} type="button" class="plain" aria-current={at === s.id ? 'true' : undefined} onClick={() => show(s.id)}>
              {s.name}
            </button>
          ))}
        </nav>
        <select class="jump" aria-label="go to a section" value={at} onChange={(e) => show(e.currentTarget.value)}>
          {sections.map((s) => (
            <option key={s.id} value={s.id}>
              {s.name}
            </option>
          ))}
        </select>
        <Filter />
        <Copy class="plain address" text={() => location.href} title="the address of this page as it stands, with what is picked and selected">
          copy address
        </Copy>
        <button type="button" class="plain" title="colours: as in the system, light or dark" onClick={() => (theme.value = themes[theme.value])}>
          {theme.value}
        </button>
        <button type="button" class="plain" aria-label="help" title="? for help" onClick={showHelp}>
          ?
        </button>
      </div>
      <Selection />
      {store.failed.value && (
        <p class="failed" role="alert">
          Some of the data cannot be shown: {cut(store.failed.value, 500)}
        </p>
      )}
    </header>
  )
}

function show(id: string): void {
  const go = () => document.getElementById(id)?.scrollIntoView()
  go()
  setTimeout(go, 150) // what is drawn on the way may have moved it
}

// useSpy says in which section the top of the screen is.
function useSpy(): string {
  const [at, setAt] = useState('summary')
  useEffect(() => {
    let frame = 0
    const look = () => {
      frame = 0
      const line = innerHeight * 0.3
      let now = sections[0].id
      for (const s of sections) if ((document.getElementById(s.id)?.getBoundingClientRect().top ?? Infinity) <= line) now = s.id
      if (innerHeight + scrollY >= document.documentElement.scrollHeight - 2 && scrollY > 0) now = sections[sections.length - 1].id
      setAt(now)
    }
    const later = () => (frame ||= requestAnimationFrame(look))
    addEventListener('scroll', later, { passive: true })
    return () => {
      removeEventListener('scroll', later)
      cancelAnimationFrame(frame)
    }
  }, [])
  return at
}

// Selection says which trials are selected, and by what. It lies over the page:
// if it moved it, the first drag in a plot would slip away from the pointer.
function Selection() {
  const { view } = store
  const m = mask.value
  const filtered = where.value.trim() && !condition.value.error
  if (!brushes.value.size && !filtered) return null
  return (
    <div class="row selection" role="status">
      <b>
        {number(m.count)} of {number(store.rows)} trials
      </b>
      {filtered && <Chip text={cut(where.value, 80)} full={where.value} mono off={() => (where.value = '')} />}
      {[...brushes.value].map(([id, range]) => {
        const c = view.columns[id]
        const ends = range.map((x) => (c.kind === 'number' ? number(x) : cut(value(c, x), 30)))
        const words = range[0] === range[1] ? ends[0] : ends.join(' … ')
        const full = `${title(c)}: ${exact(c, range[0])} to ${exact(c, range[1])}`
        return <Chip key={id} text={`${cut(c.name, 40)} ${words}${c.unit ? ' ' + c.unit : ''}`} full={full} off={() => brush(id, undefined)} />
      })}
      <button type="button" class="link" onClick={clear}>
        clear all
      </button>
      <Copy class="link" text={command} title="the same selection on the command line">
        copy as command
      </Copy>
    </div>
  )
}

function Chip(p: { text: string; full: string; mono?: boolean; off: () => void }) {
  return (
    <span class="chip" title={cut(p.full, 1000)}>
      {p.mono ? <code>{p.text}</code> : p.text}
      <button type="button" class="link" aria-label={'without ' + p.text} onClick={p.off}>
        ✕
      </button>
    </span>
  )
}

// command is the selection as a command for a terminal.
function command(): string {
  const { columns, study } = store.view
  const text = (s: unknown) => `'${String(s).replace(/[\\']/g, '\\$&')}'`
  const parts = [...brushes.value].map(([id, [low, high]]) => {
    const c = columns[id]
    const name = quoteName(c.name)
    if (c.kind === 'number') return low === high ? `${name} == ${low}` : `${low} <= ${name} <= ${high}`
    const values = c.values?.slice(Math.ceil(low), Math.floor(high) + 1) ?? []
    const truth = values.every((v) => v === 'true' || v === 'false')
    return `${name} in [${values.map(truth ? String : text).join(', ')}]`
  })
  if (where.value.trim() && !condition.value.error) parts.unshift(parts.length ? `(${where.value.trim()})` : where.value.trim())
  return `daedalus trials ${quoted(study.file)} --where ${quoted(parts.join(' and '))}`
}

// useKeys are the keys that work everywhere.
function useKeys(): void {
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      const at = e.target as HTMLElement
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName)
      if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented) return
      if (e.key === '/' && !typing) {
        e.preventDefault()
        focusFilter()
      } else if (e.key === '?' && !typing) showHelp()
      else if (e.key === 'Escape' && !document.querySelector('dialog[open]')) {
        if (picks.value.length) picks.value = []
        else if (!typing) clear()
      }
    }
    addEventListener('keydown', key)
    return () => removeEventListener('keydown', key)
  }, [])
}

// usePrint brings the page into a form for paper, at once: what is printed is
// what is there when the event ends.
function usePrint(all: () => void): void {
  useEffect(() => {
    const { debounceRendering, requestAnimationFrame } = options
    const effects: (() => void)[] = []
    const turn = (on: boolean) => {
      options.debounceRendering = on ? (f) => f() : debounceRendering
      options.requestAnimationFrame = on ? (f) => effects.push(f) : requestAnimationFrame
      if (on) document.documentElement.dataset.print = ''
      else delete document.documentElement.dataset.print
      if (on) all()
      repaint()
      // What is mounted first listens only then.
      for (let round = 0; round < 2; round++) {
        for (let f; (f = effects.shift()); ) f()
        dispatchEvent(new Event('paper'))
      }
      for (let f; (f = effects.shift()); ) f()
    }
    const before = () => turn(true)
    const after = () => turn(false)
    addEventListener('beforeprint', before, true)
    addEventListener('afterprint', after)
    return () => {
      removeEventListener('beforeprint', before, true)
      removeEventListener('afterprint', after)
    }
  }, [])
}

function showHelp(): void {
  ;(document.getElementById('help') as HTMLDialogElement).showModal()
}

function Help() {
  const close = (e: Event) => (e.currentTarget as HTMLElement).closest('dialog')!.close()
  const keys = [
    ['drag', 'in a plot: select a range, everywhere; click beside it to undo'],
    ['click', 'a point, row or card: see the design; with Shift compare up to four'],
    ['/', 'go to the filter'],
    ['← →', 'the design before or after, along the front'],
    ['Esc', 'close the design; then select everything'],
  ]
  return (
    <dialog id="help" aria-labelledby="help-title" onClick={(e) => e.target === e.currentTarget && close(e)}>
      <div>
        <h2 id="help-title">How to look around</h2>
        <table>
          {keys.map(([k, text]) => (
            <tr key={text}>
              <th>
                <kbd>{k}</kbd>
              </th>
              <td>{text}</td>
            </tr>
          ))}
        </table>
        <h3>The filter</h3>
        <p>
          A condition as in <code>daedalus trials --where</code>, such as{' '}
          <code>0.1 &lt;= lr &lt; 0.3 and (opt == O3 or state in [failed, pruned])</code>, or{' '}
          <code>sum(stages.width) &gt; 64 and not active(dropout)</code>. A trial that lacks what it asks for does not meet it.
        </p>
        <h3>The address</h3>
        <p>holds what is selected, picked and chosen: copy it to show somebody the same.</p>
        <button type="button" autofocus onClick={close}>
          close
        </button>
        {Object.keys(choices.value).length > 0 && (
          <button type="button" class="plain" onClick={() => (choices.value = {})}>
            reset the choices of all plots
          </button>
        )}
      </div>
    </dialog>
  )
}
