/** What alerts say in English: what is, why, and what to do next. */
import type { AlertTexts } from './alert-texts.ts'
import { bytesText, span, timeText } from './values-text.ts'

const time = (at: number | null): string => timeText(at, 'en')
const long = (ms: number): string => span(ms, 'en')

export const ENGLISH: AlertTexts = {
  'source-unprotected': ({ source, host }) => ({
    title: `${source} on ${host} is not protected`,
    cause: 'No enabled policy holds for this source: none is named, and no selector matches it.',
    nextStep:
      'Give the source a policy or labels that a policy selects (openmaas policy list, ' +
      'openmaas source change), or remove it.',
  }),
  'rpo-missed': ({ source, host, rpoMs, lastSuccessAt, failureCode, hostOffline }) => ({
    title: `${source} on ${host} has missed its promise of ${long(rpoMs)}`,
    cause:
      (lastSuccessAt === null
        ? 'There is no recovery point yet.'
        : `The newest recovery point is of ${time(lastSuccessAt)}.`) +
      (hostOffline ? ' The host is offline.' : '') +
      (failureCode === null ? '' : ` The last try failed with ${failureCode}.`),
    nextStep: hostOffline
      ? `Bring ${host} back; what was missed is then caught up by itself.`
      : 'See why with openmaas source compliance and openmaas job list, then openmaas protect.',
  }),
  'nothing-succeeds': ({ count, lastSuccessAt }) => ({
    title: `None of ${count} sources keeps its promise`,
    cause:
      `The newest recovery point of all is of ${time(lastSuccessAt)}: ` +
      'the server, its pools or the network fail rather than a source.',
    nextStep:
      'Look at openmaas job list and openmaas pool list; then at the log of the server ' +
      '(journalctl -u openmaas-control).',
  }),
  'scheduler-stalled': ({ sinceAt, overdue }) => ({
    title: 'The scheduler does not run',
    cause:
      overdue > 0
        ? `${overdue} runs are due and were not begun, the first since ${time(sinceAt)}.`
        : sinceAt === null
          ? 'No process leads the schedule.'
          : `Nobody has led the schedule since ${time(sinceAt)}.`,
    nextStep: 'Restart the server (systemctl restart openmaas-control) and look at its log.',
  }),
  'jobs-stuck': ({ count, sinceAt }) => ({
    title: `${count} jobs wait and none of them begins`,
    cause: `The first has waited since ${time(sinceAt)}.`,
    nextStep:
      'Look at openmaas job list: jobs that run for days hold the places; else restart the server.',
  }),
  'job-failing': ({ kind, object, failures, code }) => ({
    title: `${kind}${object === null ? '' : ` of ${object}`} has failed ${failures} times in a row`,
    cause: code === null ? 'The last error has no code.' : `The last error was ${code}.`,
    nextStep:
      'Read the log of the last job (openmaas job list, openmaas job log), ' +
      'and what docs/reference/errors.md says of the code.',
  }),
  'verification-failed': ({ object, jobId, at }) => ({
    title: `What is stored of ${object} is damaged`,
    cause: `Job ${jobId} read it back at ${time(at)} and found damage.`,
    nextStep:
      `Read openmaas job log ${jobId}. Check the disks of the pool, take a new point ` +
      '(openmaas protect), and restore from points that verify.',
  }),
  'database-unverified': ({ source, pointId, jobId, at, reason }) => ({
    title: `A recovery point of ${source} did not stand up to its verification`,
    cause: `Point ${pointId ?? '?'}, verified at ${time(at)}: ${reason}.`,
    nextStep:
      `Read openmaas point show ${pointId ?? ''} and openmaas job log ${jobId}. When production ` +
      'has the fault too, mend it there; else protect it anew; recover from points that verify.',
  }),
  'verification-overdue': ({ source, host, everyMs, lastAt }) => ({
    title: `${source} on ${host} was not verified in time`,
    cause: `The policy wants it every ${long(everyMs)}; it was last verified: ${time(lastAt)}.`,
    nextStep:
      'See openmaas job list for failed verify jobs, or begin one with openmaas point verify.',
  }),
  'drill-overdue': ({ source, host, everyMs, lastAt }) => ({
    title: `${source} on ${host} had no drill in time`,
    cause: `The policy wants one every ${long(everyMs)}; the last that succeeded: ${time(lastAt)}.`,
    nextStep:
      'This version runs no drills by itself: mount a point and try it (openmaas mount), ' +
      'or take the drill out of the policy.',
  }),
  'source-anomaly': ({ source, host, signal, day, value, usual }) =>
    ({
      change: {
        title: `${source} on ${host} changes far more than usual`,
        cause:
          `${bytesText(value)} were new on ${time(day).slice(0, 10)}; ` +
          `usual are ${bytesText(usual)} a day.`,
        nextStep:
          'Find out what writes there. If nobody planned it, think of encryption: ' +
          'lock the last good point (openmaas point lock) before anything expires.',
      },
      compressibility: {
        title: `New data of ${source} on ${host} hardly compresses any more`,
        cause:
          `On ${time(day).slice(0, 10)} ${percent(value)} of what was read had to be stored; ` +
          `usual are ${percent(usual)}. Encrypted data looks like that.`,
        nextStep:
          'Look at what has changed (openmaas diff, openmaas point ls). If files are encrypted, ' +
          'cut the host off and lock the last good point (openmaas point lock).',
      },
      shrink: {
        title: `${source} on ${host} has lost most of its data`,
        cause:
          `It shows ${bytesText(value)} on ${time(day).slice(0, 10)}; ` +
          `usual are ${bytesText(usual)}.`,
        nextStep:
          'See whether somebody deleted files or a file system is not mounted; the points before ' +
          'still have all of it (openmaas point list).',
      },
    })[signal],
  'agent-offline': ({ host, role, sinceAt }) => ({
    title: `${role === 'node' ? 'Node' : 'Agent'} ${host} is offline`,
    cause: `It was last connected at ${time(sinceAt)}.`,
    nextStep:
      `On ${host}: systemctl status openmaas-${role}; ` +
      'then its network to the server, port 8731.',
  }),
  'certificate-expiring': ({ name, notAfter }) => ({
    title: `The certificate of ${name} ends at ${time(notAfter)}`,
    cause: 'Certificates renew themselves at two thirds of their life; this one did not.',
    nextStep:
      'Restart the agent or node there. Once it has expired the machine joins anew with ' +
      'openmaas host token.',
  }),
  'clock-skew': ({ host, skewMs }) => ({
    title: `The clock of ${host} is ${long(skewMs)} ${skewMs > 0 ? 'ahead' : 'behind'}`,
    cause: 'It differs from the clock of the server by more than 5 s.',
    nextStep: `Set up time synchronisation on ${host} (chrony or systemd-timesyncd).`,
  }),
  'clock-jumped': ({ byMs, at }) => ({
    title: `The clock of the server was moved by ${long(byMs)}`,
    cause:
      `It went ${byMs > 0 ? 'forward' : 'back'} at ${time(at)}: ` +
      'somebody set it, or the machine slept.',
    nextStep: 'Check time synchronisation on the server; schedules were planned anew.',
  }),
  'pool-nearly-full': ({ pool, usedPercent, freeBytes }) => ({
    title: `Pool ${pool} is ${usedPercent} % full`,
    cause: `${bytesText(freeBytes)} are free. A full pool takes no new points.`,
    nextStep: 'Add a brick or disk, keep less, then openmaas pool collect.',
  }),
  'pool-full-soon': ({ pool, days, growthBytesPerDay }) => ({
    title: `Pool ${pool} is full in about ${days} days`,
    cause: `It grows by ${bytesText(growthBytesPerDay)} a day.`,
    nextStep: 'Plan more space now, or keep less (openmaas policy simulate).',
  }),
  'pool-degraded': ({ pool }) => ({
    title: `Pool ${pool} is degraded`,
    cause: 'A part of it is missing or damaged; another failure may lose data.',
    nextStep: 'Look at the disks of its node, then run openmaas pool check.',
  }),
  'pool-offline': ({ pool, node, seenAt }) => ({
    title: `Pool ${pool} cannot be reached`,
    cause: `Node ${node} last reported it at ${time(seenAt)}.`,
    nextStep: `See that ${node} runs and that the disks of the pool are mounted there.`,
  }),
  'pool-damaged': ({ pool, badBlocks }) => ({
    title: `Pool ${pool} has ${badBlocks} damaged places`,
    cause: 'Reading has found bytes that are not what was written.',
    nextStep:
      'Run openmaas pool check to see which points are touched, check the disks, ' +
      'and take new points.',
  }),
  'catalog-backup-old': ({ lastAt }) => ({
    title: 'The catalog has no recent backup',
    cause: `It was last stored in a pool: ${time(lastAt)}; every 6 h is usual.`,
    nextStep: 'See openmaas job list for failed catalog-backup jobs; a pool must be online.',
  }),
  'medium-lease-ending': ({ medium, host, leaseUntil }) => ({
    title: `Medium ${medium} on ${host} is ejected at ${time(leaseUntil)}`,
    cause: 'Its lease ends then; what was written to a clone goes with it.',
    nextStep: 'Who still needs it: openmaas media extend. Else nothing is to be done.',
  }),
  'medium-lost': ({ medium, host }) => ({
    title: `Medium ${medium} on ${host} is lost`,
    cause: 'The node or the host no longer has it, although nobody ejected it.',
    nextStep: 'Eject it (openmaas media eject) and plug it again.',
  }),
  'standby-behind': ({ source, state, lagMs, reason }) => ({
    title: `The standby of ${source} does not keep up`,
    cause:
      state === 'following'
        ? `It is ${Math.round((lagMs ?? 0) / 60_000)} min behind production.`
        : `It is ${state}${reason === '' ? '' : `: ${reason}`}.`,
    nextStep: 'Look at its state in openmaas database list; it is tried again by itself.',
  }),
  'standby-retention': ({ source, retainedBytes, limitBytes }) => ({
    title: `Production of ${source} keeps ${bytesText(retainedBytes)} of log for its standby`,
    cause: `At ${bytesText(limitBytes)} it gives the log up, and a new copy is needed.`,
    nextStep: 'Bring the staging host back, or allow more room for the log on production.',
  }),
  'standby-volume': ({ source, usedBytes, sizeBytes, maxBytes }) => ({
    title: `The volume of ${source} is nearly full`,
    cause:
      `${bytesText(usedBytes)} of ${bytesText(sizeBytes)} are written, ` +
      `and by itself it grows to ${bytesText(maxBytes)} at most. Full, its standby stops.`,
    nextStep:
      'Enlarge it, or let it grow further: openmaas database change <source> --volume-size, ' +
      '--volume-max. It is thin: only what is written takes space.',
  }),
  'standby-log-cut': ({ source, at, lastPointAt }) => ({
    title: `Seconds of ${source} since its last point cannot be had`,
    cause:
      `No point was taken since ${time(lastPointAt)}, and the log kept beside the standby ` +
      `reached half of its volume: it was removed at ${time(at)}.`,
    nextStep:
      'The next point ends this. Resume the source, look at its last job, or enlarge the volume: ' +
      'openmaas database change <source> --volume-size.',
  }),
  'standby-must-reseed': ({ source, reason }) => ({
    title: `The standby of ${source} needs a new copy`,
    cause: `The log that leads on from it is gone${reason === '' ? '' : `: ${reason}`}.`,
    nextStep:
      'The next run makes a new copy by itself, unless another database answers there; ' +
      'the points that there are stay as they are.',
  }),
  'virtual-database-ending': ({ database, host, leaseUntil }) => ({
    title: `Virtual database ${database} on ${host} is dropped at ${time(leaseUntil)}`,
    cause: 'Its lifetime ends then, and what was written to it goes with it.',
    nextStep: 'Who still needs it: openmaas vdb extend. Else nothing is to be done.',
  }),
  'virtual-database-full': ({ database, host, limit, quotaBytes }) => ({
    title: `Virtual database ${database} on ${host} has no room to write`,
    cause:
      limit === 'quota'
        ? `It has written its quota of ${bytesText(quotaBytes ?? 0)}. Nothing else is affected.`
        : 'The disk of its pool is full. What is protected goes on; new points need room too.',
    nextStep:
      limit === 'quota'
        ? 'Raise it: openmaas vdb extend --quota. It goes on with what it had committed.'
        : 'Free space on that disk, or drop what nobody needs; it goes on by itself.',
  }),
  'virtual-database-lost': ({ database, host }) => ({
    title: `Virtual database ${database} on ${host} does not run`,
    cause: 'It could not be started again after its host or its node came back.',
    nextStep:
      'Look at its last job; openmaas vdb start tries again, openmaas vdb reset makes it anew.',
  }),
  'server-disk-full': ({ usedPercent, freeBytes }) => ({
    title: `The disk of the server's own data is ${usedPercent} % full`,
    cause: `${bytesText(freeBytes)} are free where the catalog lies.`,
    nextStep: 'Free space or enlarge that file system: without space nothing is protected.',
  }),
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
