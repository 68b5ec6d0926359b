// What the problem found out besides the measurements, as tables.

import { store } from './state'
import { Figure } from './figure'

export function Findings() {
  return (
    <>
      {(store.view.findings ?? []).map((f, i) => (
        <Figure id={`finding-${i + 1}`} title={f.title} note={f.notes?.join(' ')} wide>
          <div class="scroll">
            <table class="findings">
              <thead>
                <tr>
                  {f.columns.map((c) => (
                    <th scope="col" class={c.number ? 'number' : undefined}>
                      {c.name}
                      {c.unit && ` (${c.unit})`}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {f.rows.map((row) => (
                  <tr>
                    {row.map((cell, k) =>
                      k ? <td class={f.columns[k]?.number ? 'number' : undefined}>{cell}</td> : <th scope="row">{cell}</th>,
                    )}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </Figure>
      ))}
    </>
  )
}
