/** Jobs. */
import { z } from 'zod'
import { idOf, pageOf, time } from '../resources/common.ts'
import { accepted, job, jobCalendar, jobDetail, jobLogLine, jobState } from '../resources/job.ts'
import { defineRoute, labelFilter, listQuery, oneOfList } from './define-route.ts'

const tag = 'jobs'
const params = z.strictObject({ jobId: idOf('job') })
const objects = [{ in: 'params', field: 'jobId', noun: 'job' }] as const

export const jobRoutes = {
  listJobs: defineRoute({
    method: 'GET',
    path: '/api/v1/jobs',
    permission: 'job.read',
    tag,
    list: true,
    summary: { en: 'Jobs', zh: '作业列表' },
    query: listQuery({
      sorts: ['queuedAt', 'startedAt', 'endedAt'],
      defaultSort: '-queuedAt',
      filters: {
        state: oneOfList(jobState.options),
        kind: z.string().min(1).max(64),
        sourceId: idOf('source'),
        hostId: idOf('host'),
        poolId: idOf('pool'),
        mediumId: idOf('medium'),
        pointId: idOf('point'),
        virtualDatabaseId: idOf('virtualDatabase'),
        actor: z.string().min(1).max(64),
        from: time,
        until: time,
        labels: labelFilter,
      },
    }),
    response: { 200: pageOf(job) },
  }),
  getJobCalendar: defineRoute({
    method: 'GET',
    path: '/api/v1/job-calendar',
    permission: 'job.read',
    tag,
    rate: 'expensive',
    summary: { en: 'What ran and will run on a day, by host', zh: '作业日历' },
    query: z.strictObject({ from: time, until: time }),
    response: { 200: jobCalendar },
  }),
  getJob: defineRoute({
    method: 'GET',
    path: '/api/v1/jobs/{jobId}',
    permission: 'job.read',
    tag,
    objects,
    wait: true,
    summary: { en: 'One job with its steps', zh: '作业详情' },
    params,
    response: { 200: jobDetail },
  }),
  getJobLog: defineRoute({
    method: 'GET',
    path: '/api/v1/jobs/{jobId}/log',
    permission: 'job.read',
    tag,
    objects,
    list: true,
    summary: { en: 'What it said', zh: '作业日志' },
    params,
    query: listQuery({
      sorts: ['seq'],
      filters: { level: oneOfList(['info', 'warning', 'error']) },
    }),
    response: { 200: pageOf(jobLogLine) },
  }),
  cancelJob: defineRoute({
    method: 'POST',
    path: '/api/v1/jobs/{jobId}/cancel',
    permission: 'job.cancel',
    tag,
    objects,
    wait: true,
    summary: { en: 'Stop it and undo what it did', zh: '取消作业' },
    params,
    response: { 202: accepted },
  }),
  retryJob: defineRoute({
    method: 'POST',
    path: '/api/v1/jobs/{jobId}/retry',
    permission: 'source.protect',
    tag,
    objects,
    wait: true,
    summary: { en: 'Do it once more', zh: '重试作业' },
    params,
    response: { 202: accepted },
  }),
} as const
