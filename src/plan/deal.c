#include "deal.h"
#include "cognate/mem.h"
#include <stdlib.h>
#include <string.h>

/* What a stored byte costs, in units of about 0.045 ns: measured on one core with SHA instructions (0.09 ns
 * to read, 0.5 to hash alone, 0.28 beside another member); an element costs 0.26 ns to decode and multiply,
 * and half as much again when it is made from a code; each pair beyond the first takes 0.08 ns. A task has a
 * small price of its own, so that many tiny slots are not free. */
enum { COST_READ = 2, COST_TASK = 1 << 17 };
enum { COST_VALUE = 6, COST_CODE = 3, COST_PAIR = 2 };

/* One indivisible load on its way to a rank: a whole bundle, or one member's stream. */
struct item {
    int64_t load, bundle;
    int32_t member; /* -1: the bundle whole, or all its streams */
    int32_t rank;   /* that has it, -1 for none yet */
};

/* The least loaded rank is on top; among equals the lowest rank. */
struct heap {
    int32_t *rank;
    int64_t *load;
    int size;
};

static bool lighter(const struct heap *heap, int i, int j)
{
    int32_t a = heap->rank[i], b = heap->rank[j];
    return heap->load[a] < heap->load[b] || (heap->load[a] == heap->load[b] && a < b);
}

static void sift_down(struct heap *heap)
{
    for (int i = 0;;) {
        int least = i;
        for (int child = 2 * i + 1; child <= 2 * i + 2; child++)
            if (child < heap->size && lighter(heap, child, least))
                least = child;
        if (least == i)
            return;
        int32_t swap = heap->rank[i];
        heap->rank[i] = heap->rank[least];
        heap->rank[least] = swap;
        i = least;
    }
}

static int by_load_down(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->load != y->load)
        return x->load > y->load ? -1 : 1;
    if (x->bundle != y->bundle)
        return x->bundle < y->bundle ? -1 : 1;
    return x->member < y->member ? -1 : x->member > y->member;
}

static int64_t sums_load(const struct cg_bundle *bundle)
{
    int64_t members = bundle->members, pairs = members * (members - 1) / 2;
    int64_t each = members * COST_VALUE + bundle->coded * COST_CODE + (pairs > 1 ? pairs - 1 : 0) * COST_PAIR;
    return bundle->real ? bundle->rows * bundle->columns * each : 0;
}

static int64_t bundle_load(const struct cg_bundle *bundle)
{
    int64_t hash = bundle->members > 1 ? CG_COST_HASH_BESIDE : CG_COST_HASH_ALONE;
    return bundle->bytes * (COST_READ + hash) + sums_load(bundle) + COST_TASK;
}

static int64_t side_bytes(const struct cg_bundle_member *member)
{
    return member->quantised ? member->quantised->side_bytes : 0;
}

static int64_t member_bytes(const struct cg_bundle *bundle, const struct cg_bundle_member *member)
{
    return cg_grain_bytes(member->grain, bundle->rows * bundle->columns) + side_bytes(member);
}

static int64_t stream_load(const struct cg_bundle *bundle, const struct cg_bundle_member *member)
{
    return member_bytes(bundle, member) * (COST_READ + CG_COST_HASH_ALONE) + COST_TASK;
}

/* The streams of all members on one rank: they are hashed beside each other. */
static int64_t together_load(const struct cg_bundle *bundle)
{
    int64_t hash = bundle->members > 1 ? CG_COST_HASH_BESIDE : CG_COST_HASH_ALONE;
    return bundle->bytes * (COST_READ + hash) + COST_TASK;
}

/* The load of the sums of one chunk of a split bundle, task price left out. */
static int64_t chunk_load(const struct cg_bundle *bundle)
{
    int64_t chunks = cg_chunk_count(bundle->rows, bundle->columns);
    return (bundle->bytes * COST_READ + sums_load(bundle)) / (chunks > 0 ? chunks : 1);
}

/* The heaviest first, `order` of all bundles by their load. */
static void order_by_load(const struct cg_plan *plan, struct item *order)
{
    for (int64_t i = 0; i < plan->nbundles; i++)
        order[i] = (struct item){bundle_load(&plan->bundles[i]), i, -1, -1};
    qsort(order, (size_t)plan->nbundles, sizeof *order, by_load_down);
}

/* Splits the `count` heaviest bundles; an empty one has nothing to split. Their members stay together where
 * one rank can stream them all within the mean load. */
static void mark_split(struct cg_plan *plan, const struct item *order, int64_t count)
{
    int64_t mean = plan->total_load / plan->ranks;
    for (int64_t i = 0; i < plan->nbundles; i++) {
        struct cg_bundle *bundle = &plan->bundles[order[i].bundle];
        bundle->split = i < count && cg_chunk_count(bundle->rows, bundle->columns) > 0;
        bundle->apart = bundle->split && bundle->members > 1 && together_load(bundle) > mean;
    }
}

static int64_t list_items(const struct cg_plan *plan, struct item *items)
{
    int64_t n = 0;
    for (int64_t i = 0; i < plan->nbundles; i++) {
        const struct cg_bundle *bundle = &plan->bundles[i];
        const struct cg_bundle_member *member = &plan->members[bundle->first_member];
        if (!bundle->apart)
            items[n++] =
                (struct item){bundle->split ? together_load(bundle) : bundle_load(bundle), i, -1, -1};
        for (int32_t m = 0; bundle->apart && m < bundle->members; m++)
            items[n++] = (struct item){stream_load(bundle, &member[m]), i, m, -1};
    }
    qsort(items, (size_t)n, sizeof *items, by_load_down);
    return n;
}

/* Gives an item to a rank, and takes it from the one that had it. */
static void assign(struct cg_plan *plan, struct item *item, int32_t rank)
{
    struct cg_bundle *bundle = &plan->bundles[item->bundle];
    struct cg_bundle_member *member = &plan->members[bundle->first_member];
    if (item->rank >= 0)
        plan->load[item->rank] -= item->load;
    plan->load[rank] += item->load;
    item->rank = rank;
    if (item->member >= 0)
        member[item->member].owner = rank;
    for (int32_t m = 0; item->member < 0 && m < bundle->members; m++)
        member[m].owner = bundle->owner = rank;
}

/* Longest load first, each to the least loaded rank. */
static void deal_items(struct cg_plan *plan, struct item *items, int64_t n, struct heap *heap)
{
    memset(plan->load, 0, (size_t)plan->ranks * sizeof *plan->load);
    for (int r = 0; r < plan->ranks; r++)
        heap->rank[r] = r;
    for (int64_t i = 0; i < n; i++) {
        assign(plan, &items[i], heap->rank[0]);
        sift_down(heap);
    }
}

static int32_t heaviest_rank(const struct cg_plan *plan)
{
    int32_t most = 0;
    for (int32_t r = 1; r < plan->ranks; r++)
        if (plan->load[r] > plan->load[most])
            most = r;
    return most;
}

/* Exchanges one item of the heaviest rank for a lighter one elsewhere, the pair that leaves both ranks
 * lowest. False when none helps. */
static bool swap_one(struct cg_plan *plan, struct item *items, int64_t n)
{
    int32_t top = heaviest_rank(plan);
    int64_t lowest = plan->load[top], give = -1, get = -1;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = n; items[i].rank == top && j-- > 0 && items[j].load < items[i].load;) {
            int64_t gain = items[i].load - items[j].load, other = plan->load[items[j].rank] + gain;
            int64_t peak = plan->load[top] - gain > other ? plan->load[top] - gain : other;
            if (items[j].rank != top && peak < lowest) {
                lowest = peak;
                give = i;
                get = j;
            }
        }
    if (give < 0)
        return false;
    int32_t other = items[get].rank;
    assign(plan, &items[get], top);
    assign(plan, &items[give], other);
    return true;
}

/* Greedy dealing leaves a rank with two odd pieces now and then: swaps until none is above `enough`. Of very
 * many items the dealing is even anyway. */
static void swap_items(struct cg_plan *plan, struct item *items, int64_t n, int64_t enough)
{
    enum { MOST_ITEMS = 8192 };
    for (int swaps = 0; n <= MOST_ITEMS && swaps < plan->ranks; swaps++)
        if (plan->load[heaviest_rank(plan)] <= enough || !swap_one(plan, items, n))
            return;
}

/* A task on its way: with the rank it goes to. */
struct dealt {
    struct cg_task task;
    int32_t rank;
};

struct deals {
    struct dealt *list; /* NULL: only the loads matter */
    size_t n, capacity;
};

static int add_deal(struct deals *deals, struct cg_task task, int32_t rank, struct cg_err *err)
{
    if (cg_grow((void **)&deals->list, &deals->capacity, deals->n + 1, sizeof *deals->list, err) < 0)
        return -1;
    deals->list[deals->n++] = (struct dealt){task, rank};
    return 0;
}

/* The sums of the split bundles flow into the ranks like water: rank after rank is filled to `level`. */
static int pour_sums(struct cg_plan *plan, int64_t level, struct deals *deals, struct cg_err *err)
{
    int32_t rank = 0;
    for (int64_t i = 0; i < plan->nbundles; i++) {
        const struct cg_bundle *bundle = &plan->bundles[i];
        int64_t chunks = cg_chunk_count(bundle->rows, bundle->columns), each = chunk_load(bundle);
        for (int64_t at = 0; bundle->split && bundle->real && at < chunks;) {
            int64_t room = level - plan->load[rank] - COST_TASK;
            int64_t take = room > 0 ? (each > 0 ? room / each : chunks) : 0;
            if (rank == plan->ranks - 1 || take > chunks - at)
                take = chunks - at;
            if (take > 0) {
                struct cg_task task = {CG_WORK_SUMS, i, 0, at, at + take};
                if (add_deal(deals, task, rank, err) < 0)
                    return -1;
                plan->load[rank] += take * each + COST_TASK;
                at += take;
            }
            if (at < chunks)
                rank++;
        }
    }
    return 0;
}

static int64_t sums_to_pour(const struct cg_plan *plan)
{
    int64_t load = 0;
    for (int64_t i = 0; i < plan->nbundles; i++) {
        const struct cg_bundle *bundle = &plan->bundles[i];
        if (bundle->split && bundle->real)
            load += cg_chunk_count(bundle->rows, bundle->columns) * chunk_load(bundle) + COST_TASK;
    }
    return load;
}

static int64_t heaviest(const struct cg_plan *plan)
{
    return plan->load[heaviest_rank(plan)];
}

/* How much the ranks hold between their own loads and `level`, in whole chunks of the widest kind, so that
 * none goes to waste. */
static int64_t room_below(const struct cg_plan *plan, int64_t level, int64_t widest)
{
    int64_t room = 0;
    for (int r = 0; r < plan->ranks; r++) {
        int64_t own = level - plan->load[r] - COST_TASK;
        room += own > 0 ? own / widest * widest : 0;
    }
    return room;
}

/* The lowest level to which the sums can fill the ranks. */
static int64_t water_level(const struct cg_plan *plan)
{
    int64_t sum = sums_to_pour(plan), widest = 1;
    for (int64_t i = 0; i < plan->nbundles; i++)
        if (plan->bundles[i].split && chunk_load(&plan->bundles[i]) > widest)
            widest = chunk_load(&plan->bundles[i]);
    int64_t low = 0, high = heaviest(plan) + sum + widest + COST_TASK; /* room for all on any one rank */
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (room_below(plan, middle, widest) >= sum)
            high = middle;
        else
            low = middle;
    }
    return high;
}

struct dealing {
    struct item *order; /* [nbundles] */
    struct item *items; /* [nmembers] room for what is dealt */
    struct heap heap;
    struct deals deals;
    int64_t enough;      /* a load that is near enough the best there can be */
    int64_t count, best; /* the best number of bundles to split so far, and the heaviest load then */
};

/* One attempt: split the `count` heaviest, deal, pour. Remembers it when it is the best so far; splitting
 * costs a second read, so that it must win by a thousandth. */
static int attempt(struct cg_plan *plan, int64_t count, struct dealing *dealing, struct cg_err *err)
{
    mark_split(plan, dealing->order, count);
    int64_t n = list_items(plan, dealing->items);
    deal_items(plan, dealing->items, n, &dealing->heap);
    swap_items(plan, dealing->items, n, dealing->enough);
    dealing->deals.n = 0;
    if (pour_sums(plan, water_level(plan), &dealing->deals, err) < 0)
        return -1;
    int64_t load = heaviest(plan);
    if (load < dealing->best - dealing->best / 1000) {
        dealing->best = load;
        dealing->count = count;
    }
    return 0;
}

/* Tries to split none, 1, 2, 3, 4, 6, 8, 12, ... of the bundles, then eight steps to either side of the best
 * of these; stops as soon as a dealing is within one percent of the best there can be. Leaves the plan as in
 * the best attempt. */
static int deal_best(struct cg_plan *plan, struct dealing *dealing, struct cg_err *err)
{
    int64_t mean = plan->total_load / plan->ranks, bound = plan->largest > mean ? plan->largest : mean;
    dealing->enough = bound + bound / 100;
    dealing->best = INT64_MAX;
    for (int64_t count = 0; count <= plan->nbundles && dealing->best > dealing->enough;) {
        if (attempt(plan, count, dealing, err) < 0)
            return -1;
        count = count < 4 ? count + 1 : count % 3 == 0 ? count / 3 * 4 : count / 2 * 3;
    }
    int64_t around = dealing->count, step = around / 16 > 1 ? around / 16 : 1;
    for (int64_t k = -8; k <= 8 && dealing->best > dealing->enough; k++)
        if (k != 0 && around + k * step > 0 && around + k * step <= plan->nbundles &&
            attempt(plan, around + k * step, dealing, err) < 0)
            return -1;
    return attempt(plan, dealing->count, dealing, err);
}

static int by_rank_and_bundle(const void *a, const void *b)
{
    const struct dealt *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    if (x->task.bundle != y->task.bundle)
        return x->task.bundle < y->task.bundle ? -1 : 1;
    if (x->task.work != y->task.work)
        return x->task.work < y->task.work ? -1 : 1;
    return x->task.member < y->task.member ? -1 : x->task.member > y->task.member;
}

static int add_streams(const struct cg_plan *plan, struct deals *deals, struct cg_err *err)
{
    for (int64_t i = 0; i < plan->nbundles; i++) {
        const struct cg_bundle *bundle = &plan->bundles[i];
        int64_t chunks = cg_chunk_count(bundle->rows, bundle->columns);
        struct cg_task task = {bundle->split ? CG_WORK_STREAM : CG_WORK_WHOLE, i, -1, 0, chunks};
        if (!bundle->apart && add_deal(deals, task, bundle->owner, err) < 0)
            return -1;
        for (task.member = 0; bundle->apart && task.member < bundle->members; task.member++)
            if (add_deal(deals, task, plan->members[bundle->first_member + task.member].owner, err) < 0)
                return -1;
    }
    return 0;
}

int64_t cg_task_bytes(const struct cg_plan *plan, const struct cg_task *task)
{
    const struct cg_bundle *bundle = &plan->bundles[task->bundle];
    const struct cg_bundle_member *member = &plan->members[bundle->first_member];
    if (task->work == CG_WORK_STREAM && task->member >= 0)
        return member_bytes(bundle, &member[task->member]);
    if (task->work != CG_WORK_SUMS)
        return bundle->bytes;
    int64_t chunk = cg_chunk_elements(bundle->rows, bundle->columns), total = bundle->rows * bundle->columns;
    int64_t end = task->end_chunk * chunk < total ? task->end_chunk * chunk : total, bytes = 0;
    for (int32_t m = 0; m < bundle->members; m++)
        bytes += cg_grain_bytes(member[m].grain, end - task->first_chunk * chunk) + side_bytes(&member[m]);
    return bytes;
}

/* Sorts the tasks by rank and writes them into the plan, with the bytes that each rank will read. */
static int lay_out_tasks(struct cg_plan *plan, struct deals *deals, struct cg_err *err)
{
    if (add_streams(plan, deals, err) < 0)
        return -1;
    if (deals->n > 0)
        qsort(deals->list, deals->n, sizeof *deals->list, by_rank_and_bundle);
    plan->ntasks = (int64_t)deals->n;
    plan->tasks = cg_new(deals->n, sizeof *plan->tasks, err);
    if (!plan->tasks)
        return -1;
    for (size_t i = 0; i < deals->n; i++) {
        plan->tasks[i] = deals->list[i].task;
        plan->first_task[deals->list[i].rank + 1]++;
        plan->bytes[deals->list[i].rank] += cg_task_bytes(plan, &plan->tasks[i]);
    }
    for (int r = 0; r < plan->ranks; r++)
        plan->first_task[r + 1] += plan->first_task[r];
    return 0;
}

static void measure_total(struct cg_plan *plan)
{
    for (int64_t i = 0; i < plan->nbundles; i++)
        plan->total_load += bundle_load(&plan->bundles[i]);
}

/* The largest load that no cut can divide: one member's stream. */
static void find_largest(struct cg_plan *plan)
{
    for (int64_t i = 0; i < plan->nbundles; i++)
        for (int32_t m = 0; m < plan->bundles[i].members; m++) {
            int64_t load = stream_load(&plan->bundles[i], &plan->members[plan->bundles[i].first_member + m]);
            if (load > plan->largest) {
                plan->largest = load;
                plan->largest_bundle = i;
            }
        }
}

int cg_deal(struct cg_plan *plan, struct cg_err *err)
{
    struct dealing dealing = {.heap.size = plan->ranks};
    size_t ranks = (size_t)plan->ranks;
    int result = -1;
    if (!(plan->load = cg_new(ranks, sizeof *plan->load, err)) ||
        !(plan->bytes = cg_new(ranks, sizeof *plan->bytes, err)) ||
        !(plan->first_task = cg_new(ranks + 1, sizeof *plan->first_task, err)) ||
        !(dealing.heap.rank = cg_new(ranks, sizeof *dealing.heap.rank, err)) ||
        !(dealing.order = cg_new((size_t)plan->nbundles, sizeof *dealing.order, err)) ||
        !(dealing.items = cg_new((size_t)plan->nmembers, sizeof *dealing.items, err)))
        goto done;
    order_by_load(plan, dealing.order);
    dealing.heap.load = plan->load;
    measure_total(plan);
    find_largest(plan);
    CG_TRY(deal_best(plan, &dealing, err));
    CG_TRY(lay_out_tasks(plan, &dealing.deals, err));
    result = 0;
done:
    free(dealing.order);
    free(dealing.items);
    free(dealing.heap.rank);
    free(dealing.deals.list);
    return result;
}
