"""Nets with layer arguments that the presets do not have."""

CONV = "{ conv2d = { out_channels = %d, kernel_size = %s, stride = %s, padding = %s } }"

NETS = {
    "transformer of rows": {
        "layers": """[
            "image_rows", { linear = 24 }, "positional_embedding",
            { repeat = { times = 2, layers = [
                { residual = { body = ["layer_norm",
                    { multihead_attention = { num_heads = 3, causal = true } }] } },
                { residual = { body = ["layer_norm", { linear = 40 }, "gelu", { linear = 24 }] } },
            ] } },
            "layer_norm", "last", { linear = 4 }]""",
        "shape": [2, 9, 7],
        "optimizer": "momentum = 0.9",
    },
    "attention in sight of all": {
        "layers": """[
            "image_rows", { linear = { out_features = 10, bias = false } },
            { positional_embedding = { kind = "sinusoidal" } },
            { residual = { body = ["rms_norm",
                { multihead_attention = { num_heads = 2, bias = false, lr_mult = { weight = 2, bias = 1 } } }] } },
            "tanh", { layer_norm = { elementwise_affine = false } },
            { residual = { body = [{ rms_norm = { elementwise_affine = false } }, { linear = 10 }] } },
            { layer_norm = { bias = false, eps = 0.001 } },
            "flatten", { linear = 4 }]""",
        "shape": [1, 5, 8],
    },
    "recurrences on top of each other": {
        "layers": """[
            "image_rows",
            { lstm = { hidden_size = 9, num_layers = 2, bidirectional = true } },
            { linear = 12 }, "tanh", { gru = { hidden_size = 7, bidirectional = true, bias = false } },
            { residual = { body = ["layer_norm", { rnn = { hidden_size = 14, nonlinearity = "relu" } }] } },
            "last", { linear = 4 }]""",
        "shape": [2, 9, 7],
        "kind": "adamw",
        "optimizer": "weight_decay = 0.1",
        "schedule": 'policy = "one_cycle"\nmax_lr = 0.01',
    },
    "a long recurrence": {
        "layers": """[
            "image_rows", { gru = { hidden_size = 33, lr_mult = { weight = 1, bias = 2 } } },
            "flatten", { linear = 4 }]""",
        "shape": [1, 40, 3],
        "optimizer": "momentum = 0.9",
    },
    "nested residuals": {
        "layers": """[
            { conv2d = { out_channels = 6, kernel_size = 3, padding = 1, bias = false } },
            "batch_norm2d", "relu",
            { residual = { body = [
                { conv2d = { out_channels = 6, kernel_size = 3, padding = 1 } }, "relu",
                { residual = { body = [
                    { conv2d = { out_channels = 6, kernel_size = 1 } }, "batch_norm2d", "silu",
                    { residual = { body = ["tanh", { scale = 0.5 }] } },
                ], shortcut = [{ scale = 0.25 }] } },
                { conv2d = { out_channels = 6, kernel_size = 3, padding = 1 } },
            ] } }, "relu",
            { residual = { body = [
                { conv2d = { out_channels = 9, kernel_size = 3, stride = 2, padding = 1 } },
            ], shortcut = [
                { conv2d = { out_channels = 9, kernel_size = 1, stride = 2, bias = false } },
                "batch_norm2d",
            ] } }, "relu",
            "global_avg_pool", { linear = 4 }]""",
        "optimizer": "momentum = 0.9\nnesterov = true\nweight_decay = 0.001",
    },
    "residuals in a row": {
        "layers": """[
            { conv2d = { out_channels = 5, kernel_size = 3 } }, "relu",
            { residual = { body = ["relu"] } },
            { residual = { body = [{ max_pool2d = { kernel_size = 3, stride = 1, padding = 1 } }] } },
            "relu",
            { residual = { body = [{ conv2d = { out_channels = 5, kernel_size = 3, padding = 1 } }],
                shortcut = ["sigmoid"] } },
            "flatten",
            { residual = { body = ["relu", { linear = 30 }, "tanh", { linear = 450 }] } },
            { linear = 4 }]""",
    },
    "pools with padding": {
        "layers": f"""[
            {CONV % (5, 3, 1, 1)}, "silu",
            {{ avg_pool2d = {{ kernel_size = [3, 2], stride = 2, padding = 1, ceil_mode = true }} }},
            {CONV % (7, 3, 1, 1)}, {{ leaky_relu = 0.2 }},
            {{ avg_pool2d = {{ kernel_size = 3, stride = 2, padding = 1, ceil_mode = true,
                count_include_pad = false }} }},
            {{ max_pool2d = {{ kernel_size = [2, 3], stride = [1, 2], padding = [1, 0],
                ceil_mode = true }} }},
            "flatten", {{ linear = 4 }}]""",
    },
    "wide strides": {
        "layers": """[
            { conv2d = { out_channels = 6, kernel_size = 3, padding = 2 } }, "relu",
            { avg_pool2d = { kernel_size = 2, stride = 3, ceil_mode = true } }, "relu",
            { max_pool2d = { kernel_size = 3, stride = [2, 3], padding = 1, ceil_mode = true } },
            "flatten", { linear = 4 }]""",
        "shape": [3, 14, 13],
    },
    "rectangles": {
        "layers": f"""[
            {CONV % (6, "[1, 5]", "[1, 2]", "[0, 2]")}, "relu",
            {CONV % (5, "[4, 2]", "[2, 1]", "[3, 0]")}, {{ gelu = "tanh" }},
            {CONV % (3, "[2, 3]", 1, "[0, 1]")}, "gelu",
            "flatten", {{ linear = {{ out_features = 4, bias = false }} }}]""",
    },
    "kernel larger than stride": {
        "layers": f"""[
            {CONV % (33, 1, 1, 0)}, "relu", {CONV % (4, 7, 3, 3)}, "relu",
            {CONV % (17, 2, 1, 1)}, "tanh", "flatten", {{ linear = 4 }}]""",
        "shape": [1, 13, 9],
    },
    "norms of all kinds": {
        "layers": """[
            { conv2d = { out_channels = 7, kernel_size = 3, padding = 1 } },
            { batch_norm2d = { affine = false, momentum = 0.3 } }, "relu",
            { conv2d = { out_channels = 6, kernel_size = 3 } },
            { batch_norm2d = { weight = false, weight_init = 0.5, eps = 0.01 } }, "leaky_relu",
            { conv2d = { out_channels = 5, kernel_size = 3, bias = false } },
            { batch_norm2d = { bias = false, momentum = 1.0, lr_mult = { weight = 3, bias = 1 } } },
            "relu", "batch_norm2d",
            "global_avg_pool", { linear = 4 }]""",
        "optimizer": "momentum = 0.8\nweight_decay = 0.01",
    },
    "norms across channels": {
        "layers": """[
            { conv2d = { out_channels = 9, kernel_size = 3, padding = 1 } }, "relu",
            { local_response_norm = { size = 5, alpha = 0.5, beta = 0.75, k = 2.0 } },
            { conv2d = { out_channels = 6, kernel_size = 3 } }, "relu",
            { local_response_norm = { size = 4, alpha = 0.3, beta = 0.5 } }, { max_pool2d = 2 },
            { local_response_norm = { size = 3, alpha = 0.2, beta = 0.75, within_channel = true } },
            "flatten", { linear = 4 }]""",
    },
    "multipliers in Caffe's form": {
        "layers": """[
            { conv2d = { out_channels = 6, kernel_size = 5, padding = 2, init = { normal = 0.05 },
                lr_mult = { weight = 1, bias = 2 } } },
            { max_pool2d = { kernel_size = 3, stride = 2, ceil_mode = true } }, "relu",
            { local_response_norm = { size = 3, alpha = 5e-5, within_channel = true } },
            { linear = { out_features = 12, lr_mult = { weight = 0.5, bias = 2 },
                decay_mult = { weight = 250, bias = 0 } } }, { linear = 4 }]""".replace(
            "{ linear = { out", '"flatten", { linear = { out'
        ),
        "normalize": "mean_image",
        "optimizer": 'momentum = 0.9\nweight_decay = 0.004\nmomentum_form = "caffe"',
        "schedule": 'policy = "triangular"\nbase_lr = 0.00001\nmax_lr = 0.0001\nstep_size_up = 15',
    },
    "caffe and nesterov": {
        "layers": '["flatten", { linear = 30 }, "relu", { linear = 20 }, "sigmoid", { linear = 4 }]',
        "optimizer": 'momentum = 0.9\nnesterov = true\nmomentum_form = "caffe"',
        "schedule": 'policy = "triangular2"\nbase_lr = 0.002\nmax_lr = 0.02\nstep_size_up = 6\n'
        "cycle_momentum = true",
    },
    "mse": {
        "layers": """[
            { conv2d = { out_channels = 8, kernel_size = 3, stride = 2 } }, "batch_norm2d", "silu",
            "flatten", { linear = 4 }]""",
        "loss": 'kind = "mse"',
        "normalize": "unit",
    },
    "smoothing, no momentum": {
        "layers": """[
            { conv2d = { out_channels = 8, kernel_size = 2 } }, "relu", { avg_pool2d = 3 },
            { dropout = 0.0 }, "flatten", { linear = 16 }, "gelu", { scale = 1.5 }, { linear = 4 }]""",
        "loss": 'kind = "cross_entropy"\nlabel_smoothing = 0.2',
        "optimizer": "momentum = 0.0",
        "normalize": "mean_image",
        "schedule": 'policy = "constant"\nlr = 0.0002',
    },
    "one channel, one pixel": {
        "layers": """[
            { conv2d = { out_channels = 1, kernel_size = [5, 4], stride = 3 } }, "batch_norm2d",
            "relu", { conv2d = { out_channels = 3, kernel_size = 2 } }, "relu",
            { conv2d = { out_channels = 5, kernel_size = 1 } }, "relu",
            "global_avg_pool", { linear = 4 }]""",
        "shape": [2, 10, 9],
        "batch": 5,
    },
    "flat features": {
        "layers": '[{ linear = 33 }, "relu", { residual = { body = [{ linear = 33 }, "tanh"] } }, { linear = 4 }]',
        "shape": [17],
        "batch": 44,
    },
}
