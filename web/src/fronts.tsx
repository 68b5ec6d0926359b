// What the search reached: the front, how it got there, and what lies around it.

import './fronts.css'
import { store } from './state'
import { ArchiveFigure } from './archive'
import { HistoryFigure } from './history'
import { pairIds, Pairs } from './pairs'
import { ParallelFigure } from './parallel'
import { FrontFigure } from './scatter'

export function Fronts() {
  const many = store.view.goal.objectives.filter((o) => o.column >= 0).length > 2
  const archive = store.view.archive || store.view.missing.archive !== undefined
  return (
    <div class="figures">
      <FrontFigure />
      <HistoryFigure wide={many ? pairIds().length > 3 : !archive} />
      {many && <Pairs />}
      <ArchiveFigure />
      <ParallelFigure />
    </div>
  )
}
