// Which operators there are. See op/op.h for what a row says.
#include "graph/graph_int.h"

static bool is_in_domain(const op_family *f, str domain)
{
    return str_eq_z(domain, f->domain);
}

const graph_op *graph_find_op(str domain, str name, int64_t opset)
{
    for (int i = 0; op_families[i]; i++) {
        const op_family *f = op_families[i];
        for (int k = 0; is_in_domain(f, domain) && k < f->n; k++) {
            const graph_op *op = &f->ops[k];
            bool in_range = op->since <= opset && (op->until == 0 || opset <= op->until);
            if (in_range && str_eq_z(name, op->name)) return op;
        }
    }
    return NULL;
}

bool graph_has_op(str domain, str name)
{
    for (int i = 0; op_families[i]; i++) {
        const op_family *f = op_families[i];
        for (int k = 0; is_in_domain(f, domain) && k < f->n; k++) {
            if (str_eq_z(name, f->ops[k].name)) return true;
        }
    }
    return false;
}
