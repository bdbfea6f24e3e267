// Prepares pg-boss's own tables: queues and schedules, and with "count" as argument the numbers that it keeps of its queues.

import { PgBoss } from 'pg-boss'

const boss = new PgBoss({
  connectionString: process.env.DATABASE_URL, supervise: false, schedule: false, migrate: true
})
boss.on('error', (error) => { console.error(error); process.exitCode = 1 })
await boss.start()
if (process.argv[2] === 'count') {
  await boss.supervise()
} else {
  const [queues, jobs] = process.argv.slice(2).map(Number)
  for (let n = 0; n < queues; n++) {
    await boss.createQueue(`c${n}`, { retentionSeconds: 31536000, deleteAfterSeconds: 31536000 })
  }
  for (let n = 0; n < jobs; n++) {
    await boss.schedule(`c${n % queues}`, `${n % 60} * * * *`, {}, { tz: 'Europe/Paris', key: `j${n}` })
  }
}
await boss.stop({ graceful: false })
