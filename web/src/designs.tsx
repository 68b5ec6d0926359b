// The designs themselves: the front one by one, and all by likeness.

import { Gallery } from './gallery'
import { Treemap } from './treemap'
import './designs.css'

export function Designs() {
  return (
    <section class="part" id="designs" aria-label="Designs">
      <h2>Designs</h2>
      <p class="lead">What was built: the designs of the front, and all others by how alike they are.</p>
      <div class="figures">
        <Gallery />
        <Treemap />
      </div>
    </section>
  )
}
