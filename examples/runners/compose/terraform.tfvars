runner_image = "pulumi-runner"
