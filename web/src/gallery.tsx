// The designs of the front as pictures.

import { store } from './state'
import { Figure, useFew } from './figure'
import { Card } from './bits'

export function Gallery() {
  const { front, missing, drawings, answer } = store.view
  // First the picks and an even sample along the front, then the rest.
  const every = Math.ceil(front.rows.length / 20)
  const wanted = (row: number, k: number) => k % every === 0 || answer.picks.some((p) => p.row === row)
  const some = front.rows.filter(wanted)
  const [shown, more] = useFew(front.rows, some.length, 'design')
  return (
    <Figure
      id="gallery"
      wide
      title={front.rows.length === 1 ? 'The best design' : 'The designs of the front'}
      absent={!front.rows.length && 'There is no finished design yet.'}
      note={[!front.feasible && 'No design keeps every limit; these miss them least. ', !drawings && missing.drawings]}
    >
      <div class="gallery">
        {(shown.length > some.length ? shown : some).map((row) => (
          <Card key={row} row={row} brief />
        ))}
      </div>
      {more}
    </Figure>
  )
}
