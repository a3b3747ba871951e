"""What files get wrong about meshes, put right."""
