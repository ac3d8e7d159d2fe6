// The figures of the last answer: shown while it streams.
import { byId } from './elements.mjs'

const NOTHING = '–'

export function showFigures ({ firstMs, tokens, isEstimated, perSecond, totalMs }) {
  const about = isEstimated ? '≈ ' : ''
  byId('ttft').textContent = firstMs === undefined ? NOTHING : milliseconds(firstMs)
  byId('speed').textContent = perSecond ? `${about}${perSecond.toFixed(1)}` : NOTHING
  byId('tokens').textContent = tokens ? `${about}${tokens}` : NOTHING
  byId('total').textContent = totalMs === undefined ? NOTHING : milliseconds(totalMs)
}

export function milliseconds (time) {
  return time < 10_000 ? `${Math.round(time)} ms` : `${(time / 1000).toFixed(1)} s`
}
