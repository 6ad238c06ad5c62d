// Live ranges to offsets in one block of memory: largest first, each at the lowest place where it
// overlaps nothing that lives at the same time. Pure; the result depends on the records alone.
//
// An optimal packing is NP-hard; largest-first is within a few percent of the lower bound (the
// largest sum of values alive at once) for networks, and quadratic in the number of values.
#include "graph/graph_int.h"

enum { ALIGN = 64 };

static bool lives_together(const plan_item *a, const plan_item *b)
{
    return a->first <= b->last && b->first <= a->last;
}

// Insertion keeps equal sizes in their order, so that the plan is reproducible.
static void sort_by_size(const plan_item *items, int n, int *order)
{
    for (int i = 0; i < n; i++) {
        int at = i;
        for (; at > 0 && items[order[at - 1]].bytes < items[i].bytes; at--) {
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
}

// Raises the offset of order[k] until it overlaps none of the items placed before it.
static void place(plan_item *items, const int *order, int k)
{
    plan_item *item = &items[order[k]];
    item->offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < k; i++) {
            const plan_item *other = &items[order[i]];
            if (!lives_together(item, other)) continue;
            bool apart = item->offset + item->bytes <= other->offset ||
                         other->offset + other->bytes <= item->offset;
            if (apart) continue;
            item->offset = align_up(other->offset + other->bytes, ALIGN);
            moved = true;
        }
    }
}

size_t plan_offsets(plan_item *items, int n, int *order)
{
    size_t total = 0;
    sort_by_size(items, n, order);
    for (int k = 0; k < n; k++) {
        place(items, order, k);
        total = size_max(total, items[order[k]].offset + items[order[k]].bytes);
    }
    return align_up(total, ALIGN);
}
