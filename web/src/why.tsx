// Why the good designs are good: what matters, and which way.

import { Contour } from './contour'
import { Importance } from './importance'
import { Slices } from './slices'
import { Tree } from './tree'
import { Winners } from './winners'
import './why.css'

export function Why() {
  return (
    <section class="part" id="why" aria-label="Why">
      <h2>Why</h2>
      <p class="lead">What makes a design good here: which parameters matter, which values win, and the space they come from.</p>
      <div class="figures">
        <div class="stack">
          <Importance />
          <Winners />
        </div>
        <Contour />
        <Slices />
        <Tree />
      </div>
    </section>
  )
}
