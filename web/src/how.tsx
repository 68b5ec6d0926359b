// How the search went: what ran when, what made progress, where designs came from.

import { Curves } from './curves'
import { Lineage } from './lineage'
import { Operators, Phases } from './operators'
import { Timeline } from './timeline'
import { store } from './state'
import './how.css'

export function How() {
  const { curves } = store.view
  return (
    <section class="part" id="how" aria-label="How">
      <h2>How</h2>
      <p class="lead">How the search got there: what ran when, what made progress, and where a design came from.</p>
      <div class="figures">
        <Timeline />
        {curves ? (
          <>
            <Curves />
            <div class="stack">
              <Operators />
              <Phases />
            </div>
          </>
        ) : (
          <>
            <Operators />
            <Phases />
            <Curves />
          </>
        )}
        <Lineage />
      </div>
    </section>
  )
}
