# For node-gyp, which prebuildify drives; CMakeLists.txt is the other build and both read
# native/sources.json. ADJOINT_MARCH in the environment sets the CPU level.
{
  "variables": {
    "march%": "<!(node -p \"process.env.ADJOINT_MARCH || 'native'\")",
    "asmjit%": "<!(node scripts/print-sources.mjs --asmjit)",
  },
  "targets": [
    {
      "target_name": "adjoint",
      "sources": ["<!@(node scripts/print-sources.mjs core binding)"],
      "include_dirs": ["native", "<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": [
        "NAPI_VERSION=8",
        "NAPI_DISABLE_CPP_EXCEPTIONS",
        "NODE_ADDON_API_DISABLE_DEPRECATED",
        "NDEBUG",
      ],
      # node-gyp's own flags switch exceptions and run-time types off and an older standard on.
      "cflags!": ["-O2", "-fno-omit-frame-pointer"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-std=gnu++20", "-std=gnu++14"],
      "cflags_cc": [
        "-std=c++20",
        "-O3",
        "-march=<(march)",
        "<!@(node -p \"/^x86-64-v[34]$/.test(process.env.ADJOINT_MARCH || '') ? '-mno-lzcnt' : ''\")",
        "-ffp-contract=off",
        "-fno-math-errno",
        "-fno-trapping-math",
        # CMakeLists.txt gives it to native/ops/math alone, which needs it; gyp has no flags for single files.
        "-fwrapv",
        "-Wall",
        "-Wextra",
        "-Wno-restrict",
        "-fvisibility=hidden",
        "-fvisibility-inlines-hidden",
        "-isystem", "/usr/include/eigen3",
      ],
      "conditions": [
        ["asmjit==1", {"defines": ["ADJOINT_ASMJIT", "ASMJIT_STATIC"], "libraries": ["-lasmjit", "-lrt"]}],
      ],
      "libraries": ["<!@(node scripts/print-sources.mjs --sleef)", "-lpthread", "-ldl"],
      "ldflags": [
        "-static-libstdc++",
        "-static-libgcc",
        "-Wl,-z,nodelete",
        "-Wl,-z,origin",
        "-Wl,--gc-sections",
        "-Wl,-rpath,'$$ORIGIN'",
        "-Wl,--version-script='<(module_root_dir)/cmake/exports.map'",
      ],
    }
  ],
}
