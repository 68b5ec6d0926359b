// The page: what was found, whether to believe it, what to try next, and then
// everything down to a single design.

import { options, type ComponentType } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { ArchiveFigure } from './archive'
import { Copy, CopyAddress } from './bits'
import { Contour } from './contour'
import { Curves } from './curves'
import type { Column } from './data'
import { Detail } from './detail'
import { quoteName } from './expr'
import { Filter } from './filter'
import { Findings } from './findings'
import { cut, exact, moment, number, title, value } from './format'
import { Gallery } from './gallery'
import { HistoryFigure } from './history'
import { Importance } from './importance'
import { Lineage } from './lineage'
import { Operators, Phases } from './operators'
import { pairIds, Pairs } from './pairs'
import { ParallelFigure } from './parallel'
import { objectives } from './rows'
import { ComparisonFigure, FrontFigure } from './scatter'
import { Slices } from './slices'
import { brush, brushes, choices, clear, filtered, mask, picks, store, where } from './state'
import { Summary } from './summary'
import { repaint, theme } from './theme'
import { Timeline } from './timeline'
import { Tree } from './tree'
import { Treemap } from './treemap'
import { Trials } from './trials'
import { Winners } from './winners'
import './style.css'
import './figures.css'
import './page.css'

function Fronts() {
  const many = objectives().length > 2
  const archive = store.view.archive || store.view.missing.archive
  return (
    <>
      <FrontFigure />
      <ComparisonFigure />
      <HistoryFigure wide={many ? pairIds().length > 3 : !archive} />
      {many && <Pairs />}
      <ArchiveFigure />
      <ParallelFigure />
    </>
  )
}

function Why() {
  return (
    <>
      <div class="stack">
        <Importance />
        <Winners />
      </div>
      <Contour />
      <Slices />
      <Tree />
    </>
  )
}

function How() {
  return (
    <>
      <Timeline />
      <Operators />
      <Phases />
      <Curves />
      <Lineage />
    </>
  )
}

function Designs() {
  return (
    <>
      <Gallery />
      <Treemap />
    </>
  )
}

const sections: [name: string, lead: string, is: ComponentType][] = [
  ['Summary', '', Summary],
  ['Fronts', 'What can be had, and at what price.', Fronts],
  ['Findings', 'What the problem itself has to say about its measurements.', Findings],
  ['Why', 'Which parameters matter, which values win, and the space they come from.', Why],
  ['How', 'What ran when, what made progress, and where a design came from.', How],
  ['Designs', 'The designs of the front, and all others by how alike they are.', Designs],
  ['Trials', 'Everything that was tried.', Trials],
]

// shown are the sections that this study has something for.
const shown = () => sections.filter(([name]) => name !== 'Findings' || store.view.findings?.length)

const idOf = (name: string) => name.toLowerCase()

export function Page() {
  // The summary is painted first; the sections below follow one by one.
  const [mounted, mount] = useState(1)
  useEffect(() => {
    let timer = 0
    const frame = requestAnimationFrame(() => (timer = window.setTimeout(mount, 0, Math.min(mounted + 1, shown().length))))
    return () => {
      cancelAnimationFrame(frame)
      clearTimeout(timer)
    }
  }, [mounted])
  usePrint(() => mount(shown().length))
  useKeys()
  const { made, engine, study } = store.view
  return (
    <>
      <Bar />
      <main>
        {shown().map(([name, lead, Is], i) => (
          <section key={name} id={idOf(name)} class={i ? 'part' : undefined} aria-label={name}>
            {i > 0 && <h2>{name}</h2>}
            {i > 0 && <p class="muted">{lead}</p>}
            {i < mounted && (
              <div class={i ? 'figures' : undefined}>
                <Is />
              </div>
            )}
          </section>
        ))}
        <footer class="note">
          Made {moment(made)} by Daedalus {engine}; the study ran with {study.engine || 'an unknown version'}, seed {study.seed}.
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
        <button class="plain name" title={cut(store.view.study.name, 500)} onClick={() => scrollTo(0, 0)}>
          {cut(store.view.study.name, 60)}
        </button>
        <nav aria-label="sections">
          {shown().slice(1).map(([name]) => (
            <button class="plain" aria-current={at === name} onClick={() => show(name)}>
              {name}
            </button>
          ))}
        </nav>
        <select class="jump" aria-label="go to a section" value={at} onChange={(e) => show(e.currentTarget.value)}>
          {shown().map(([name]) => (
            <option>{name}</option>
          ))}
        </select>
        <Filter />
        <CopyAddress class="plain address" />
        <button class="plain" title="colours: as in the system, light or dark" onClick={() => (theme.value = themes[theme.value])}>
          {theme.value}
        </button>
        <button class="plain" aria-label="help" title="? for help" onClick={showHelp}>
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

function show(name: string): void {
  const go = () => document.getElementById(idOf(name))?.scrollIntoView()
  go()
  setTimeout(go, 150) // what is drawn on the way may have moved it
}

// useSpy says in which section the top of the screen is.
function useSpy(): string {
  const [at, setAt] = useState('Summary')
  useEffect(() => {
    const look = () => {
      const end = innerHeight + scrollY >= document.documentElement.scrollHeight - 2 && scrollY > 0
      const above = ([name]: (typeof sections)[number]) => end || document.getElementById(idOf(name))!.getBoundingClientRect().top <= innerHeight * 0.3
      setAt(shown().filter(above).at(-1)?.[0] ?? 'Summary')
    }
    addEventListener('scroll', look, { passive: true })
    return () => removeEventListener('scroll', look)
  }, [])
  return at
}

// Selection says which trials are selected, and by what. It lies over the page:
// if it moved it, the first drag in a plot would slip away from the pointer.
function Selection() {
  const m = mask.value
  if (!brushes.value.size && !filtered.value) return null
  const text = command()
  return (
    <div class="row selection" role="status">
      <b>
        {number(m.count)} of {number(store.rows)} trials
      </b>
      {filtered.value && <Chip text={cut(where.value, 80)} full={where.value} off={() => (where.value = '')} />}
      {[...brushes.value].map(([id, [low, high]]) => {
        const c = store.view.columns[id]
        const words = (low === high ? [low] : [low, high]).map((x) => cut(value(c, x), 30)).join(' … ')
        return (
          <Chip
            key={id}
            text={`${cut(c.name, 40)} ${words} ${c.unit}`}
            full={`${title(c)}: ${exact(c, low)} to ${exact(c, high)}`}
            off={() => brush([id, undefined])}
          />
        )
      })}
      <button class="link" onClick={clear}>
        clear all
      </button>
      {text && (
        <Copy class="link" text={() => text} title={cut(text, 1000)}>
          copy as command
        </Copy>
      )}
    </div>
  )
}

function Chip(p: { text: string; full: string; off: () => void }) {
  return (
    <span class="chip" title={cut(p.full, 1000)}>
      <span>{p.text}</span>
      <button class="link" aria-label={'without ' + p.text} onClick={p.off}>
        ✕
      </button>
    </span>
  )
}

// unknown says whether a column is one that the command line does not have, or
// has as a text.
const unknown = (c: Column) =>
  (c.part === 'record' && ['queued', 'started', 'finished', 'worker'].includes(c.name)) ||
  (c.part === 'param' && (/^(whether|place of|how often) /.test(c.doc ?? '') || (c.name.endsWith('.length') && c.unit === 'tokens')))

// command is the selection as a command for a terminal, as far as that can say
// it; '' if it cannot.
function command(): string {
  const { columns, study } = store.view
  const parts = [...brushes.value].flatMap(([id, [low, high]]) => {
    const c = columns[id]
    if (unknown(c)) return []
    const name = quoteName(c.name)
    if (c.kind === 'number') return low === high ? `${name} == ${low}` : `${low} <= ${name} <= ${high}`
    const values = c.values?.slice(Math.ceil(low), Math.floor(high) + 1) ?? []
    const truth = values.every((v) => /^(true|false)$/.test(String(v)))
    return `${name} in [${values.map(truth ? String : (v) => JSON.stringify(v)).join(', ')}]`
  })
  const typed = where.value.trim()
  if (filtered.value) parts.unshift(parts.length ? `(${typed})` : typed)
  return parts.length ? `daedalus trials ${study.file} --where '${parts.join(' and ').replaceAll("'", `'\\''`)}'` : ''
}

// useKeys are the keys that work everywhere.
function useKeys(): void {
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test((e.target as Element).tagName)
      if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented) return
      if (e.key === '/' && !typing) {
        e.preventDefault()
        const box = document.getElementById('filter') as HTMLInputElement
        box.focus({ preventScroll: true })
        box.select()
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
      document.documentElement.toggleAttribute('data-print', on)
      if (on) all()
      repaint()
      // What is mounted first listens only then.
      for (let round = 0; round < 3; round++) {
        for (let f; (f = effects.shift()); ) f()
        if (round < 2) dispatchEvent(new Event('paper'))
      }
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
  const keys = [
    ['drag', 'in a plot: select a range, everywhere; click beside it to undo'],
    ['click', 'a point, row or card: see the design; with Shift compare up to four'],
    ['/', 'go to the filter'],
    ['← →', 'the design before or after, along the front'],
    ['Esc', 'close the design; then select everything'],
  ]
  return (
    <dialog id="help" aria-label="help">
      <h2>How to look around</h2>
      <table>
        {keys.map(([k, text]) => (
          <tr>
            <th>{k}</th>
            <td>{text}</td>
          </tr>
        ))}
      </table>
      <p>
        The filter takes conditions as <code>daedalus trials --where</code> does, such as <code>lr &lt; 0.3 and (opt == O3 or state in [failed, pruned])</code>.
        A trial that lacks what it asks for does not meet it. The address holds what is selected, picked and chosen.
      </p>
      <form method="dialog" class="tools">
        <button autofocus>close</button>
        {Object.keys(choices.value).length > 0 && <button onClick={() => (choices.value = {})}>reset the choices of all plots</button>}
      </form>
    </dialog>
  )
}
