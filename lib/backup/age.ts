/** For people: `12 min`, `26 h`, `9 d`. */
export function ageOf(time: Date, now: Date): string {
  const minutes = Math.round((now.getTime() - time.getTime()) / 60_000)
  if (minutes < 0) return 'future'
  if (minutes < 60) return `${minutes} min`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} d`
}
