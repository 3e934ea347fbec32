"""Routes a signature through TensorFlow's own C++ request batcher.

`BatchFunction` is the operation behind `tf.nondifferentiable_batch_function` and shares its
scheduler with TensorFlow Serving's batching session: concurrent runs wait up to
`batch_timeout_micros`, run as one batch padded to an allowed size, and are split again.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from serving.config_files import BatchingOptions
from serving.errors import ServingError, StatusCode

_CALLS = ("StatefulPartitionedCall", "PartitionedCall")


def batch_outputs(
    graph: Any,
    signature_name: str,
    signature_def: Any,
    options: BatchingOptions,
    max_request_size: int,
) -> dict[str, str]:
    """Adds a batched twin of a signature to the graph.

    A TensorFlow 2 export calls one function for each signature; the batcher calls that same
    function with the batched inputs and the variables it had captured.

    Args:
      graph: graph of the loaded model.
      signature_name: names the queue of this signature.
      signature_def: the `SignatureDef`.
      options: how batches form.
      max_request_size: most instances in one request; more than a batch holds are split.

    Returns:
      Tensor name of each output of the twin, by output name. Inputs keep their tensor names.

    Raises:
      ServingError: the signature is not a single function call, as in graphs of TensorFlow 1.
    """
    outputs = {
        name: graph.get_tensor_by_name(info.name) for name, info in signature_def.outputs.items()
    }
    inputs = [graph.get_tensor_by_name(info.name) for info in signature_def.inputs.values()]
    calls = {tensor.op for tensor in outputs.values()}
    call = next(iter(calls))
    if len(calls) != 1 or call.type not in _CALLS:
        raise ServingError(
            StatusCode.UNIMPLEMENTED,
            f"Signature {signature_name} is not a single function call, so this server cannot "
            "batch it; start it without --enable_batching.",
        )
    given = {tensor.name for tensor in inputs}
    batched = [tensor for tensor in call.inputs if tensor.name in given]
    captured = [tensor for tensor in call.inputs if tensor.name not in given]
    if list(call.inputs)[: len(batched)] != batched:
        raise ServingError(
            StatusCode.UNIMPLEMENTED,
            f"Signature {signature_name} takes captured tensors before its inputs, so this server "
            "cannot batch it; start it without --enable_batching.",
        )
    with graph.as_default():
        results = tf.raw_ops.BatchFunction(
            in_tensors=batched,
            captured_tensors=captured,
            f=call.get_attr("f"),
            Tout=[tensor.dtype for tensor in call.outputs],
            num_batch_threads=options.threads,
            # With splitting on, this bounds a request and the largest allowed size a batch.
            max_batch_size=max(options.max_batch_size, max_request_size),
            batch_timeout_micros=options.batch_timeout_micros,
            allowed_batch_sizes=options.allowed_batch_sizes or range(1, options.max_batch_size + 1),
            max_enqueued_batches=options.max_enqueued_batches,
            enable_large_batch_splitting=True,
            container="",
            shared_name=f"batcher_{signature_name}",
            batching_queue="",
        )
    return {name: results[tensor.value_index].name for name, tensor in outputs.items()}
