#include "server/csftpd/threads.h"

/* Some paths of 4 KiB lie on it at a time. */
enum { STACK = 512 * 1024 };

void threads_init(struct threads *threads)
{
	*threads = (struct threads){.count = 0};
	pthread_mutex_init(&threads->lock, NULL);
	pthread_cond_init(&threads->more, NULL);
	threads->last = &threads->first;
}

/* NULL: there will be none any more. */
static struct threads_task *take(struct threads *threads)
{
	struct threads_task *task;

	pthread_mutex_lock(&threads->lock);
	while (!threads->first && !threads->stopping)
		pthread_cond_wait(&threads->more, &threads->lock);
	task = threads->first;
	if (task) {
		threads->first = task->next;
		if (!threads->first)
			threads->last = &threads->first;
	}
	pthread_mutex_unlock(&threads->lock);
	return task;
}

static void count_busy(struct threads *threads)
{
	uint32_t busy = atomic_fetch_add(&threads->busy, 1) + 1;
	uint32_t peak = atomic_load(&threads->peak);

	while (busy > peak &&
	       !atomic_compare_exchange_weak(&threads->peak, &peak, busy))
		;
}

static void *work(void *arg)
{
	struct threads *threads = arg;
	struct threads_task *task;

	threads->confine(threads->arg);
	while ((task = take(threads))) {
		count_busy(threads);
		task->run(task);
		atomic_fetch_sub(&threads->busy, 1);
	}
	return NULL;
}

bool threads_start(struct threads *threads, uint32_t count,
		   void (*confine)(void *arg), void *arg)
{
	pthread_attr_t attr;
	bool good = true;

	if (count > THREADS_MAX)
		return false;
	threads->confine = confine;
	threads->arg = arg;
	pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK);
	while (good && threads->count < count) {
		good = pthread_create(&threads->thread[threads->count], &attr,
				      work, threads) == 0;
		threads->count += good;
	}
	pthread_attr_destroy(&attr);
	return good;
}

void threads_add(struct threads *threads, struct threads_task *task)
{
	task->next = NULL;
	atomic_fetch_add_explicit(&threads->tasks, 1, memory_order_relaxed);
	pthread_mutex_lock(&threads->lock);
	*threads->last = task;
	threads->last = &task->next;
	pthread_mutex_unlock(&threads->lock);
	pthread_cond_signal(&threads->more);
}

bool threads_take_back(struct threads *threads, struct threads_task *task)
{
	struct threads_task **at = &threads->first;
	bool found;

	pthread_mutex_lock(&threads->lock);
	while (*at && *at != task)
		at = &(*at)->next;
	found = *at == task;
	if (found) {
		*at = task->next;
		if (!*at)
			threads->last = at;
	}
	pthread_mutex_unlock(&threads->lock);
	return found;
}

void threads_stop(struct threads *threads)
{
	pthread_mutex_lock(&threads->lock);
	threads->stopping = true;
	pthread_mutex_unlock(&threads->lock);
	pthread_cond_broadcast(&threads->more);
	for (uint32_t i = 0; i < threads->count; i++)
		(void)pthread_join(threads->thread[i], NULL);
	threads->count = 0;
	pthread_cond_destroy(&threads->more);
	pthread_mutex_destroy(&threads->lock);
}
